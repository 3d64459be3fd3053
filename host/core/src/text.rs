//! Which characters of a stranger's text play tricks on whoever reads it. What is shown in their place is for whoever shows it.

/// Controls, line separators, marks of reading order, and characters that show nothing. The joiners of emoji and scripts are none.
#[must_use]
pub fn plays_tricks(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
