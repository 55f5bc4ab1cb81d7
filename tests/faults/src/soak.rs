//! Everything at once for as long as wanted: do memory and file descriptors stay where they are, and is there an error?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::backup::Backups;
use crate::kill::Load;
use crate::site::{On, Site};

/// How much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How long. Growth is judged from five minutes on.
    #[arg(long, default_value_t = 60.0)]
    pub minutes: f64,
    /// What the servers store in.
    #[arg(long, value_enum, default_value = "files-sqlite")]
    pub on: On,
    /// How many clients work at once.
    #[arg(long, default_value_t = 12)]
    pub clients: usize,
    /// What all choices follow from.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// In less than this a server is still growing to its size.
const TELLING: Duration = Duration::from_secs(5 * 60);
/// Between two looks at a server.
const STRIDE: Duration = Duration::from_secs(2);
/// What may come on top of the growth that is allowed: allocators and pools do not give back at once.
const NOISE_KIB: f64 = 24.0 * 1024.0;
/// Growth between the middle and the end that is still noise.
const NOISE_SHARE: f64 = 0.15;
const NOISE_FILES: f64 = 24.0;

/// What a server held at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: f64,
    resident_kib: f64,
    files: f64,
}

/// Runs it.
///
/// # Errors
/// Growth beyond noise, an error that nothing explains, or anything that does not hold at the end.
pub async fn run(program: PathBuf, options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("soak: {} minutes, {} clients, {:?}, --seed {seed}", options.minutes, options.clients, options.on);
    let site = Arc::new(Site::new(&program, options.on).await?);
    let outcome = run_on(&site, &options, seed).await;
    site.end(&outcome).await;
    outcome.with_context(|| format!("--seed {seed}"))
}

async fn run_on(site: &Arc<Site>, options: &Options, seed: u64) -> Result<()> {
    site.start_all().await?;
    let mut backups = Backups::new(site).await?;
    let mut load = Load::start(site, options.clients, seed)?;
    let (began, span) = (Instant::now(), Duration::try_from_secs_f64(options.minutes * 60.0)?);
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); site.replicas()];
    let mut printed = Instant::now();
    while began.elapsed() < span {
        load.run_for(STRIDE).await?;
        backups.go_on().await?;
        for (index, of) in samples.iter_mut().enumerate() {
            let pid = site.pid(index).await.context("a server that runs")?;
            of.push(sample(pid, began)?);
        }
        if printed.elapsed() > span / 30 {
            printed = Instant::now();
            println!("  {}", line(&samples, &load));
        }
    }
    backups.end().await?;
    let clients = load.stop().await?;
    let errors = clients.errors();
    println!("  5xx by status: {errors:?}");
    clients.verify().await?;
    let judged = span >= TELLING;
    for (index, of) in samples.iter().enumerate().filter(|_| judged) {
        judge(index, of)?;
    }
    ensure!(errors.is_empty(), "errors that nothing explains: {errors:?}");
    let wrong = site.logged(&["panicked", " ERROR "]);
    ensure!(wrong.is_empty(), "the log has {} errors: {:?}", wrong.len(), wrong.first());
    let growth = if judged { "flat" } else { "too short to judge growth" };
    println!("soak: {growth}, {} backups, no error", backups.made());
    Ok(())
}

fn line(samples: &[Vec<Sample>], load: &Load) -> String {
    let mut line = format!("{:>6.0} s", samples[0].last().map_or(0.0, |sample| sample.at));
    for sample in samples.iter().filter_map(|of| of.last()) {
        line += &format!("  {:>7.1} MiB {:>4} files", sample.resident_kib / 1024.0, sample.files);
    }
    line + &format!("  {:>9} requests", load.requests())
}

fn sample(pid: u32, began: Instant) -> Result<Sample> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a resident size")?;
    let resident_kib = resident.split_whitespace().next().context("a number")?.parse()?;
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64;
    Ok(Sample { at: began.elapsed().as_secs_f64(), resident_kib, files })
}

/// Compares the middle of the run with its end: by then everything has been used that is used at all.
fn judge(index: usize, samples: &[Sample]) -> Result<()> {
    let count = samples.len();
    ensure!(count >= 10, "too few samples");
    let (middle, end) = (&samples[count * 2 / 5..count * 3 / 5], &samples[count * 4 / 5..]);
    let memory = |of: &[Sample]| median(of.iter().map(|sample| sample.resident_kib).collect());
    let files = |of: &[Sample]| median(of.iter().map(|sample| sample.files).collect());
    let second_half = &samples[count / 2..];
    println!("  server {index}      middle       end   slope of the second half");
    let slope = slope(second_half, |sample| sample.resident_kib / 1024.0) * 3600.0;
    println!("    memory  {:>8.1}  {:>8.1}   {slope:>+8.2} MiB an hour", memory(middle) / 1024.0, memory(end) / 1024.0);
    let slope = self::slope(second_half, |sample| sample.files) * 3600.0;
    println!("    files   {:>8.1}  {:>8.1}   {slope:>+8.2} an hour", files(middle), files(end));
    let grown = memory(end) - memory(middle);
    ensure!(grown < memory(middle) * NOISE_SHARE + NOISE_KIB, "server {index}: memory grows");
    ensure!(files(end) - files(middle) < NOISE_FILES, "server {index}: file descriptors grow");
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Least squares: how much `value` grows in a second.
fn slope(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let mean_at = samples.iter().map(|sample| sample.at).sum::<f64>() / count;
    let mean = samples.iter().map(&value).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for sample in samples {
        above += (sample.at - mean_at) * (value(sample) - mean);
        below += (sample.at - mean_at).powi(2);
    }
    if below == 0.0 { 0.0 } else { above / below }
}

/// Errors of servers by status.
pub(crate) fn errors(tally: &BTreeMap<(&'static str, String), u64>) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for ((_, outcome), count) in
        tally.iter().filter(|((_, outcome), _)| outcome.starts_with('5') || outcome == "no answer")
    {
        *errors.entry(outcome.clone()).or_default() += count;
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(memory: impl Fn(f64) -> f64, files: impl Fn(f64) -> f64) -> Vec<Sample> {
        let one = |number: u32| {
            let at = f64::from(number);
            Sample { at, resident_kib: memory(at), files: files(at) }
        };
        (0..100).map(one).collect()
    }

    #[test]
    fn a_warm_up_is_flat_and_a_leak_is_not() {
        judge(0, &run(|at| 100_000.0 - 80_000.0 / (1.0 + at), |at| 50.0 + at % 7.0)).unwrap();
        assert!(judge(0, &run(|at| 100_000.0 + 2_000.0 * at, |_| 50.0)).is_err());
        assert!(judge(0, &run(|_| 100_000.0, |at| 50.0 + at)).is_err());
    }

    #[test]
    fn the_slope_of_a_line_is_its_slope() {
        assert!((slope(&run(|at| 3.0 * at, |_| 0.0), |sample| sample.resident_kib) - 3.0).abs() < 1e-9);
    }
}
