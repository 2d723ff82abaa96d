//! `netboot-image`: hashing beside `sha256sum` and `openssl`, importing beside `cp`, reading
//! SHA256SUMS and manifests.
//!
//! The rows beside other programs work on files of 1 GiB in the page cache, or of as many MiB as
//! the environment variable `NETBOOT_BENCH_MIB` says. The folder is that for temporary files: set
//! `TMPDIR` to try another file system.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use netboot_image::{Digest, Input, Manifest, NewImage, Sha256Sums, Store, copy};

const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn hashing(criterion: &mut Criterion) {
    let bytes = vec![0x5a; 64 << 20];
    let mut group = criterion.benchmark_group("image/sha256");
    group
        .sample_size(20)
        .throughput(Throughput::Bytes(64 << 20));
    group.bench_function("of 64 MiB in memory", |bench| {
        bench.iter(|| Digest::of(black_box(&bytes)))
    });
    group.bench_function("copy 64 MiB of memory into nothing", |bench| {
        bench.iter(|| {
            copy(black_box(bytes.as_slice()), io::sink(), |_| {
                ControlFlow::Continue(())
            })
            .expect("no fault")
        });
    });
    let path = std::env::temp_dir().join(format!("netboot-image-bench-{}", std::process::id()));
    std::fs::write(&path, &bytes).expect("a temporary file");
    group.bench_function("of a file of 64 MiB in the page cache", |bench| {
        bench.iter(|| Digest::of_file(black_box(&path)).expect("the file is there"));
    });
    group.finish();
    std::fs::remove_file(path).expect("the file is there");
}

/// A folder with a file of noise for each core; it goes with the value.
struct Files {
    dir: PathBuf,
    files: Vec<PathBuf>,
    size: u64,
}

impl Files {
    fn new(group: &str) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "how whoever runs a bench says how large"
        )]
        let mib = std::env::var("NETBOOT_BENCH_MIB")
            .ok()
            .and_then(|mib| mib.parse().ok())
            .unwrap_or(1024);
        let dir =
            std::env::temp_dir().join(format!("netboot-image-{group}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary folder");
        let mut noise = Vec::with_capacity(1 << 20);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        while noise.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend(state.to_le_bytes());
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let files = (0..cores).map(|core| {
            let path = dir.join(format!("{core}"));
            let mut file = File::create(&path).expect("a file");
            noise[0] = u8::try_from(core % 256).expect("below 256");
            for _ in 0..mib {
                file.write_all(&noise).expect("written");
            }
            // Else the kernel writes it back during the first measurement.
            file.sync_all().expect("flushed");
            path
        });
        Self {
            files: files.collect(),
            dir,
            size: mib << 20,
        }
    }

    fn one(&self) -> &Path {
        self.files.first().expect("a core")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn run(command: &mut Command) {
    let status = command
        .stdout(Stdio::null())
        .status()
        .expect("it is installed");
    assert!(status.success(), "{command:?}");
}

fn beside_peers(criterion: &mut Criterion) {
    let files = Files::new("digest");
    let mut group = criterion.benchmark_group("image/digest beside peers");
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(files.size));
    group.bench_function("this crate", |bench| {
        bench.iter(|| Digest::of_file(files.one()).expect("there"))
    });
    group.bench_function("openssl dgst -sha256", |bench| {
        bench.iter(|| {
            run(Command::new("openssl")
                .args(["dgst", "-sha256"])
                .arg(files.one()))
        });
    });
    group.bench_function("sha256sum", |bench| {
        bench.iter(|| run(Command::new("sha256sum").arg(files.one())))
    });
    group.throughput(Throughput::Bytes(
        files.size * u64::try_from(files.files.len()).expect("few cores"),
    ));
    group.bench_function(
        format!("{0} files on {0} cores", files.files.len()),
        |bench| {
            bench.iter(|| {
                thread::scope(|scope| {
                    for path in &files.files {
                        scope.spawn(move || Digest::of_file(path).expect("there"));
                    }
                });
            });
        },
    );
    group.finish();
}

/// What to compare with is the slower of `cp` and `hash alone`. The store flushes what it publishes
/// to the disk and `cp` does not: with `TMPDIR` in memory there is nothing to flush, and on a disk
/// the row of `cp` with the flush counts.
fn importing(criterion: &mut Criterion) {
    let files = Files::new("import");
    let store = Store::create(files.dir.join("images")).expect("a store");
    let name: netboot_image::ImageName = "a".parse().expect("a name");
    let file = || "content".parse().expect("a name");
    let image =
        |content: Input| NewImage::chain(name.clone(), "http://host/a").file(file(), content);
    let publish = |image| {
        let published = store.publish(SystemTime::UNIX_EPOCH, image);
        published.expect("published");
    };
    // What is there already would be shared, and a copy be made for nothing.
    let forget = || {
        let _ = store.remove(&name);
    };
    let target = files.dir.join("copy");
    let mut group = criterion.benchmark_group("image/import beside peers");
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(files.size));
    group.bench_function("publish a file", |bench| {
        bench.iter_batched(
            forget,
            |()| publish(image(files.one().into())),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("publish from a reader", |bench| {
        let reader = || Input::reader("a reader", File::open(files.one()).expect("there"));
        bench.iter_batched(
            forget,
            |()| publish(image(reader())),
            BatchSize::PerIteration,
        );
    });
    forget();
    let gone = || {
        let _ = fs::remove_file(&target);
    };
    group.bench_function("cp", |bench| {
        let cp = || run(Command::new("cp").arg(files.one()).arg(&target));
        bench.iter_batched(gone, |()| cp(), BatchSize::PerIteration);
    });
    group.bench_function("cp, then sync of the copy", |bench| {
        let cp = || {
            run(Command::new("cp").arg(files.one()).arg(&target));
            File::open(&target)
                .and_then(|copy| copy.sync_all())
                .expect("flushed");
        };
        bench.iter_batched(gone, |()| cp(), BatchSize::PerIteration);
    });
    group.bench_function("sha256sum", |bench| {
        bench.iter(|| run(Command::new("sha256sum").arg(files.one())))
    });
    group.bench_function("hash alone", |bench| {
        bench.iter(|| Digest::of_file(files.one()).expect("there"))
    });
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let mut text = String::new();
    for number in 0..1000 {
        text.push_str(&format!("{HEX}  pool/main/l/linux/file-{number}.udeb\n"));
    }
    let mut group = criterion.benchmark_group("image/parse");
    group.throughput(Throughput::Bytes(text.len().try_into().expect("it fits")));
    group.bench_function("SHA256SUMS of 1000 lines", |bench| {
        bench.iter(|| Sha256Sums::decode(black_box(text.as_bytes())).expect("sound"));
    });
    let manifest = format!(
        r#"{{"version":"1.0","name":"a","generation":3,"created":"2026-11-23T05:26:58Z","architecture":"x86_64",
        "kind":"linux","kernel":{{"file":"bzImage","size":3,"cmdline_limit":2047,"digest":"sha256:{HEX}"}},
        "initrds":[{{"file":"initrd","size":3,"digest":"sha256:{HEX}"}}],"cmdline":["console=ttyS0","quiet"]}}"#
    );
    group.throughput(Throughput::Bytes(
        manifest.len().try_into().expect("it fits"),
    ));
    group.bench_function("manifest.json", |bench| {
        bench.iter(|| Manifest::decode(black_box(manifest.as_bytes())).expect("sound"));
    });
    group.finish();
}

criterion_group!(benches, hashing, beside_peers, importing, parsing);
criterion_main!(benches);
