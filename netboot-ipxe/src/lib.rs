#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod arg;
mod command;
mod error;
mod render;
mod script;
mod setting;

pub use crate::{
    arg::{Arg, Part},
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand, OtherCommand},
    error::{Problem, RenderError},
    script::{Line, Operator, Script},
    setting::{Setting, SettingType},
};
