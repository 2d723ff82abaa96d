//! Small programs on the netboot crates, one idea each: see the files beside this folder.
