#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod arg;
mod assemble;
mod classify;
mod cmdline;
mod command;
mod entry;
mod error;
#[cfg(feature = "serde")]
mod form;
mod getopt;
mod lex;
pub mod lint;
mod menu;
mod other;
mod parse;
mod render;
pub mod run;
mod script;
mod setting;
mod spec;

pub use crate::{
    arg::{Arg, Part},
    cmdline::CommandLine,
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand},
    entry::{Action, Chain, Dhcp, Disc, Ending, LinuxBoot, LocalDisk, Notice, Retry},
    error::{RenderError, RenderProblem},
    menu::{Cancel, Item, Menu},
    other::{CommandBuilder, OtherCommand},
    parse::{ParseError, ParseProblem},
    script::{Line, Operator, Script},
    setting::{Setting, SettingType},
};
