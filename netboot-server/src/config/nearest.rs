//! The known name that a misspelled one was perhaps meant to be.

/// The one of the known names that is nearest to what is written, where one is near.
pub(crate) fn nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .min()
        .map(|(_, name)| name)
}

/// What to do about a name that is not known: the nearest one, or what else is to be done.
pub(crate) fn or_nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
    cure: &str,
) -> String {
    match nearest(written, known) {
        Some(near) => format!("did you mean `{near}`? else {cure}"),
        None => cure.to_owned(),
    }
}
