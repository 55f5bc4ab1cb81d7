//! Rows as lines of JSON, compressed: integers are numbers, bytes are base64, in the order of the table's columns.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use wharf_db::dump::{Cell, Kind, Line, Table};
use wharf_storage::ByteStream;

use crate::{Error, Result};

/// Fast, and about a fifth of the size for rows full of names.
const LEVEL: i32 = 3;
/// Lines handed on at a time, unless their bytes are more than [`PAGE_BYTES`].
const PAGE: usize = 1024;
const PAGE_BYTES: usize = 4 << 20;

/// Makes a file out of rows, piece by piece.
pub(super) struct Encoder(zstd::stream::write::Encoder<'static, Vec<u8>>);

impl Encoder {
    pub(super) fn new() -> Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        Ok(Self(encoder))
    }

    /// Takes rows, off the async threads; gives what is to be written so far.
    pub(super) async fn add(self, lines: Vec<Line>) -> Result<(Self, Bytes)> {
        blocking(move || {
            let mut this = self;
            let mut text = Vec::new();
            for line in &lines {
                text.clear();
                encode(line, &mut text)?;
                this.0.write_all(&text)?;
            }
            let ready = std::mem::take(this.0.get_mut());
            Ok((this, ready.into()))
        })
        .await
    }

    pub(super) async fn finish(self) -> Result<Bytes> {
        blocking(move || self.0.finish().map(Bytes::from)).await
    }
}

fn encode(line: &[Cell], text: &mut Vec<u8>) -> io::Result<()> {
    for (index, cell) in line.iter().enumerate() {
        text.push(if index == 0 { b'[' } else { b',' });
        match cell {
            Cell::Null => text.extend_from_slice(b"null"),
            Cell::Int(int) => write!(text, "{int}")?,
            Cell::Text(written) => serde_json::to_writer(&mut *text, written)?,
            Cell::Bytes(bytes) => write!(text, "\"{}\"", STANDARD.encode(bytes))?,
        }
    }
    text.extend_from_slice(b"]\n");
    Ok(())
}

fn decode(text: &str, table: &Table) -> io::Result<Line> {
    let values: Vec<Value> = serde_json::from_str(text)?;
    if values.len() != table.columns.len() {
        return Err(invalid(format!("a row of {} has {} values", table.name, values.len())));
    }
    let cells = values.into_iter().zip(&table.columns).map(|(value, column)| {
        let unexpected = || invalid(format!("{}.{} holds something unexpected", table.name, column.name));
        Ok(match (value, column.kind) {
            (Value::Null, _) => Cell::Null,
            (Value::Number(number), Kind::Int) => Cell::Int(number.as_i64().ok_or_else(unexpected)?),
            (Value::String(text), Kind::Text) => Cell::Text(text),
            (Value::String(text), Kind::Bytes) => Cell::Bytes(STANDARD.decode(text).map_err(|_| unexpected())?),
            _ => return Err(unexpected()),
        })
    });
    cells.collect()
}

/// Reads rows back, in pages. An error comes last.
pub(super) fn decoded(file: ByteStream, table: &Table) -> mpsc::Receiver<io::Result<Vec<Line>>> {
    let (pages, receiver) = mpsc::channel(2);
    let (pieces, arriving) = mpsc::channel::<io::Result<Bytes>>(4);
    tokio::spawn(async move {
        let mut file = file;
        while let Some(piece) = file.next().await {
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    });
    let table = table.clone();
    tokio::task::spawn_blocking(move || {
        let read = || -> io::Result<()> {
            let compressed = Arriving { pieces: arriving, piece: Bytes::new() };
            let mut lines = BufReader::new(zstd::stream::read::Decoder::new(compressed)?);
            let (mut page, mut size, mut text) = (Vec::new(), 0, String::new());
            loop {
                text.clear();
                let length = lines.read_line(&mut text)?;
                if page.len() == PAGE || size > PAGE_BYTES || (length == 0 && !page.is_empty()) {
                    size = 0;
                    if pages.blocking_send(Ok(std::mem::take(&mut page))).is_err() {
                        return Ok(());
                    }
                }
                if length == 0 {
                    return Ok(());
                }
                size += length;
                page.push(decode(&text, &table)?);
            }
        };
        if let Err(error) = read() {
            // Nobody is there to hear it if this fails.
            pages.blocking_send(Err(error)).ok();
        }
    });
    receiver
}

/// Pieces of a stream for a reader that may wait.
struct Arriving {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = room.len().min(self.piece.len());
        room[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// Reads a small file whole.
pub(super) async fn whole(mut file: ByteStream, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    while let Some(chunk) = file.try_next().await? {
        content.extend_from_slice(&chunk);
        if content.len() > most {
            return Err(invalid(format!("it is larger than {most} bytes")));
        }
    }
    Ok(content)
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn failed(error: io::Error) -> Error {
    Error::Backup(error.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|died| Err(io::Error::other(died))).map_err(failed)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use wharf_db::dump::Column;

    use super::*;

    #[tokio::test]
    async fn rows_come_back_as_they_went() {
        let column = |name: &str, kind| Column { name: name.into(), kind };
        let columns = vec![column("a", Kind::Int), column("b", Kind::Text), column("c", Kind::Bytes)];
        let table = Table { name: "t".into(), columns, key: vec!["a".into()] };
        let line = |a: i64| {
            vec![
                Cell::Int(a),
                Cell::Text(format!("é\u{1}\"\n{a}")),
                Cell::Bytes(vec![0, 255, 10, u8::try_from(a % 7).unwrap()]),
            ]
        };
        let mut lines: Vec<Line> = (0..3000).map(line).collect();
        lines.push(vec![Cell::Int(i64::MIN), Cell::Null, Cell::Null]);
        let (encoder, first) = Encoder::new().unwrap().add(lines.clone()).await.unwrap();
        let file: ByteStream = Box::pin(stream::iter([Ok(first), Ok(encoder.finish().await.unwrap())]));
        let (mut pages, mut back) = (decoded(file, &table), Vec::new());
        while let Some(page) = pages.recv().await {
            back.extend(page.unwrap());
        }
        assert!(back == lines);
    }
}
