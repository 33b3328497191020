//! Reports as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.
//!
//! Text is escaped on its way in, charts are SVG. Not here: what a report says (`replay`,
//! `experiment`) and where it is written (`cli`).
