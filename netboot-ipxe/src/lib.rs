#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod arg;
mod assemble;
mod cmdline;
mod command;
mod entry;
mod error;
mod menu;
mod render;
mod script;
mod setting;

pub use crate::{
    arg::{Arg, Part},
    cmdline::CommandLine,
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand, OtherCommand},
    entry::{Action, Chain, Ending, LinuxBoot, LocalDisk, Notice, Retry},
    error::{Problem, RenderError},
    menu::{Cancel, Item, Menu},
    script::{Line, Operator, Script},
    setting::{Setting, SettingType},
};
