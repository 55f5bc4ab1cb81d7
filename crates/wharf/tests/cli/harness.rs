//! Runs the program in an environment of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A home folder, a working directory and a data directory that nobody else uses.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    pub(crate) fn json(self) -> Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// The error text of a command that failed with this code.
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.lines().any(|line| line.starts_with("error: ")), "{self:?}");
        self.err
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(args).env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[], "")
    }

    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ended {
        let mut command = self.command(args);
        command.envs(variables.iter().copied()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input has closed it by now.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What a command shows on a terminal, which `script` of util-linux makes for it.
    pub(crate) fn run_on_a_terminal(&self, args: &[&str]) -> String {
        let typed: Vec<&str> = [env!("CARGO_BIN_EXE_wharf")].into_iter().chain(args.iter().copied()).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--command", &typed.join(" "), "/dev/null"]);
        command.env_clear().env("HOME", self.folder.path()).env("TERM", "xterm").current_dir(self.folder.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A server on a free port with the password of the tests.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[], &[("WHARF_ADMIN_PASSWORD", PASSWORD)])
    }

    pub(crate) fn serve_with(&self, flags: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut args = vec!["serve"];
        if !flags.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        if !flags.contains(&"--data") {
            args.extend(["--data", "data"]);
        }
        args.extend(flags);
        let mut child = self.command(&args).envs(variables.iter().copied()).spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let first =
            out.recv().unwrap_or_else(|_| panic!("the server did not start: {:?}", err.iter().collect::<Vec<_>>()));
        let url = first.split(" is at ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned();
        Server { child: Some(child), url, said: vec![first], out, err }
    }

    /// Signs in as the administrator of a server.
    pub(crate) fn login(&self, server: &Server) {
        self.run_with(&["login", &server.url, "-u", "admin", "--password-stdin"], &[], PASSWORD).ok();
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) url: String,
    said: Vec<String>,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// What a server left behind.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<String>,
    pub(crate) log: Vec<String>,
}

impl Server {
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id();
        assert!(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap().success());
    }

    /// The next line of the log that contains `text`.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        self.err.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("the log ended without {text:?}"))
    }

    /// The exit code of a server that was told to stop.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.take().unwrap().wait().unwrap().code()
    }

    pub(crate) fn stop(mut self) -> Stopped {
        self.signal("TERM");
        let code = self.child.take().unwrap().wait().unwrap().code();
        let mut out = std::mem::take(&mut self.said);
        out.extend(self.out.iter());
        Stopped { code, out, log: self.err.iter().collect() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The lines that come, as they come.
pub(crate) fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Sends a request and gives its status and JSON body.
pub(crate) fn http(method: &str, url: &str, user: Option<(&str, &str)>, body: Option<(&str, Vec<u8>)>) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
        if let Some((name, password)) = user {
            request = request.basic_auth(name, Some(password));
        }
        if let Some((content_type, body)) = body {
            request = request.header("Content-Type", content_type).body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
    })
}

/// Uploads a blob and gives its digest.
pub(crate) fn upload(server: &Server, user: (&str, &str), repository: &str, content: Vec<u8>) -> String {
    let digest = wharf_types::Digest::sha256(&content).to_string();
    let url = format!("{}/v2/{repository}/blobs/uploads/?digest={digest}", server.url);
    let (status, answer) = http("POST", &url, Some(user), Some(("application/octet-stream", content)));
    assert_eq!(status, 201, "{answer}");
    digest
}

/// Pushes the smallest image there is.
pub(crate) fn push(server: &Server, user: (&str, &str), repository: &str, tag: &str) {
    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let base = format!("{}/v2/{repository}", server.url);
    let blob = ("application/octet-stream", b"{}".to_vec());
    let (status, answer) = http("POST", &format!("{base}/blobs/uploads/?digest={EMPTY}"), Some(user), Some(blob));
    assert_eq!(status, 201, "{answer}");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let config = serde_json::json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2 });
    let manifest =
        serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [config] });
    let body = (media_type, manifest.to_string().into_bytes());
    let (status, answer) = http("PUT", &format!("{base}/manifests/{tag}"), Some(user), Some(body));
    assert_eq!(status, 201, "{answer}");
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
