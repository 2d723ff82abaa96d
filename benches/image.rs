//! `netboot-image`: hashing, copying with a digest, reading SHA256SUMS and manifests.

use std::hint::black_box;
use std::io;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netboot_image::{Digest, Manifest, Sha256Sums, copy};

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

fn parsing(criterion: &mut Criterion) {
    let mut text = String::new();
    for number in 0..1000 {
        text.push_str(&format!("{HEX}  pool/main/l/linux/file-{number}.udeb\n"));
    }
    let mut group = criterion.benchmark_group("image/parse");
    group.throughput(Throughput::Bytes(text.len().try_into().expect("it fits")));
    group.bench_function("SHA256SUMS of 1000 lines", |bench| {
        bench.iter(|| Sha256Sums::parse(black_box(text.as_bytes())).expect("sound"));
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
        bench.iter(|| Manifest::from_json(black_box(manifest.as_bytes())).expect("sound"));
    });
    group.finish();
}

criterion_group!(benches, hashing, parsing);
criterion_main!(benches);
