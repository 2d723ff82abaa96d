//! A menu of 50 images: made into a script, rendered, parsed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use netboot_ipxe::{Action, Item, LinuxBoot, Menu, Script};

fn menu() -> Menu {
    let mut menu = Menu::new("Network boot")
        .default_item("image-1")
        .timeout_ms(10_000);
    for number in 0..50 {
        let url = format!("http://192.168.100.1/images/image-{number}/@1");
        let boot = LinuxBoot::new(format!("Image {number}"), format!("{url}/bzImage"))
            .initrd("initrd", format!("{url}/initrd"))
            .arg("init=/nix/store/00000000000000000000000000000000-nixos-system/init")
            .arg("console=ttyS0");
        let text = format!("Image number {number}");
        menu = menu.item(Item::new(
            format!("image-{number}"),
            text,
            Action::Linux(boot),
        ));
    }
    menu.item(Item::local_disk("local", "Boot from the local disk"))
}

fn script(c: &mut Criterion) {
    let menu = menu();
    let script = menu.script().expect("it can be written");
    let text = script.render().expect("it can be written");
    // The menu alone, without what its items do.
    let end = text.find(":item-image-0").expect("the first item");
    let lines = script.lines().iter().take(text[..end].lines().count() - 1);
    let mut alone = Script::new();
    lines.for_each(|line| {
        alone.line(line.clone());
    });
    let alone_text = alone.render().expect("it can be written");

    c.bench_function("ipxe/script/50 images", |b| {
        b.iter(|| black_box(&menu).script())
    });
    c.bench_function("ipxe/render/50 images", |b| {
        b.iter(|| black_box(&script).render())
    });
    c.bench_function("ipxe/parse/50 images", |b| {
        b.iter(|| Script::parse(black_box(&text)))
    });
    c.bench_function("ipxe/render/50-item menu", |b| {
        b.iter(|| black_box(&alone).render())
    });
    c.bench_function("ipxe/parse/50-item menu", |b| {
        b.iter(|| Script::parse(black_box(&alone_text)))
    });
}

criterion_group!(benches, script);
criterion_main!(benches);
