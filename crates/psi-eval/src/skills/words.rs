//! Words for training that no pool knows: plain English ones and invented ones, so that a model learns to
//! copy what it is given instead of names it has seen.

use crate::{draws::Draws, split::Split, wording::capitalised};

/// Words that hold a phrase together and stay as they are.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "a", "and", "at", "behind", "beside", "best", "by", "friend", "house", "in", "in-law", "law", "left", "my", "name", "next",
    "number", "of", "on", "parents'", "room", "hall", "code", "password", "the", "to", "top", "under", "with",
];

/// Everyday words.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "able", "acid", "acorn", "actor", "album", "alley", "anchor", "angle", "ankle", "apron", "arch", "area", "armour", "arrow",
    "ash", "atlas", "autumn", "axle", "badge", "bait", "bakery", "balcony", "bandage", "banner", "barn", "basin", "bath",
    "battery", "beach", "beam", "bean", "beard", "beaver", "bedroom", "beer", "bench", "berry", "bible", "biscuit", "blade",
    "blood", "board", "bolt", "bone", "border", "bottom", "bow", "bowl", "box", "bracelet", "brain", "branch", "brand",
    "breath", "breeze", "brick", "broom", "brush", "bubble", "buckle", "bug", "building", "bulb", "bull", "bundle", "burger",
    "bush", "cabin", "cable", "cage", "cake", "calendar", "calf", "camel", "camp", "canal", "candy", "cane", "cannon", "cap",
    "cape", "captain", "card", "carpet", "cart", "cash", "cave", "ceiling", "cellar", "cement", "chain", "chalk", "channel",
    "chapel", "charm", "chart", "cheek", "chest", "chief", "chimney", "chin", "chip", "circle", "circus", "city", "clerk",
    "cliff", "cloth", "club", "coach", "coal", "coast", "collar", "colony", "column", "comb", "corner", "cottage", "council",
    "counter", "court", "cover", "cradle", "craft", "crane", "crayon", "creek", "crew", "cricket", "crop", "cross", "crowd",
    "crown", "crystal", "cub", "cube", "cup", "current", "curtain", "curve", "cushion", "custard", "dairy", "dam", "danger",
    "dart", "dawn", "deer", "den", "dent", "diary", "dice", "digit", "dirt", "dish", "ditch", "doll", "dolphin", "dome", "dot",
    "dough", "dove", "dragon", "drain", "drawer", "dream", "dress", "drink", "driver", "drop", "dust", "dwarf", "ear", "earth",
    "east", "edge", "egg", "elbow", "elk", "elm", "empire", "energy", "errand", "estate", "evening", "event", "eye", "fable",
    "fabric", "face", "factory", "fair", "fairy", "faith", "family", "fang", "farm", "fence", "fern", "fever", "field",
    "finger", "fire", "flag", "flame", "flask", "flood", "flour", "fluid", "foam", "fog", "folder", "fork", "fort", "fountain",
    "frame", "frost", "fruit", "fuel", "funnel", "fur", "gallery", "gap", "garlic", "gas", "gate", "gear", "gem", "ghost",
    "giant", "gift", "ginger", "girl", "globe", "gold", "goose", "gown", "grain", "grass", "gravel", "grill", "group", "guard",
    "guest", "guide", "gum", "hail", "hair", "hammock", "hand", "handle", "hangar", "harness", "hawk", "hay", "hazel", "heart",
    "heat", "hedge", "heel", "herb", "hill", "hinge", "hip", "hole", "hood", "hoof", "hook", "horn", "hose", "hotel", "hunter",
    "hut", "ice", "idea", "inch", "ink", "inn", "insect", "iron", "jar", "jaw", "jelly", "jewel", "joke", "judge", "juice",
    "jungle", "key", "king", "kiss", "knee", "knife", "knight", "knot", "label", "lace", "lake", "lamb", "land", "lane",
    "laundry", "lawn", "leaflet", "legend", "lemonade", "lens", "lid", "lily", "limb", "lime", "line", "lion", "lip", "list",
    "lizard", "loaf", "lobby", "lock", "log", "lorry", "lotion", "lunch", "machine", "magic", "magnet", "maid", "mail", "mane",
    "manor", "marble", "march", "mask", "mast", "mat", "match", "mate", "maze", "meal", "meat", "medal", "menu", "metal",
    "milk", "mill", "mine", "mint", "mist", "mitten", "mole", "money", "moon", "moss", "moth", "motor", "mound", "mouth", "mud",
    "mule", "muscle", "museum", "mustard", "nail", "napkin", "neck", "nest", "net", "night", "noise", "noon", "north", "nose",
    "notebook", "nurse", "nut", "oak", "oar", "oat", "ocean", "office", "oil", "onion", "opera", "orbit", "orchard", "organ",
    "otter", "oven", "owl", "owner", "oyster", "pack", "packet", "paddle", "page", "pail", "pan", "panda", "panel", "parade",
    "parcel", "park", "party", "paste", "path", "patrol", "paw", "pea", "peak", "pearl", "pebble", "pedal", "peg", "pen",
    "petal", "phone", "picture", "pie", "pier", "pig", "pile", "pilot", "pin", "pipe", "pirate", "pit", "plan", "plant",
    "plaster", "plot", "plough", "plug", "poem", "poet", "pole", "pond", "pool", "porch", "port", "post", "pot", "powder",
    "prince", "prison", "prize", "pump", "pupil", "purse", "puzzle", "queen", "quilt", "rabbit", "race", "rack", "radar",
    "raft", "rail", "rain", "ranch", "razor", "reef", "ribbon", "rice", "ridge", "rifle", "rim", "river", "road", "robe",
    "rock", "rod", "rope", "rose", "route", "ruby", "rug", "ruler", "sack", "sail", "salad", "salt", "sandal", "sauce",
    "sausage", "scale", "scene", "scissors", "screw", "seal", "seat", "shed", "sheet", "shell", "shelter", "shield", "shirt",
    "shop", "shore", "shoulder", "shower", "sign", "silk", "sink", "site", "skin", "sky", "slate", "sleeve", "slice", "slope",
    "smoke", "snail", "soap", "soil", "soldier", "soup", "south", "spark", "spear", "spice", "spine", "sponge", "spring",
    "square", "stable", "stage", "stair", "stamp", "star", "statue", "steam", "stem", "step", "stick", "stool", "store",
    "stove", "straw", "stream", "string", "studio", "suit", "sun", "swamp", "swan", "sweater", "swing", "sword", "table",
    "tail", "tank", "tape", "target", "tarp", "tea", "team", "tent", "thorn", "throne", "thumb", "ticket", "tiger", "tile",
    "timber", "toast", "toe", "tongue", "tool", "tooth", "torch", "towel", "tower", "town", "toy", "track", "trail", "tray",
    "treasure", "trench", "tribe", "trick", "trophy", "trout", "truck", "trunk", "tub", "tube", "tulip", "tunnel", "turkey",
    "tyre", "uniform", "valve", "vase", "vault", "veil", "vessel", "village", "vine", "voice", "wagon", "waist", "walk",
    "wallet", "wand", "wasp", "watch", "water", "wave", "wax", "weapon", "web", "well", "west", "whale", "whip", "whistle",
    "wick", "widow", "wig", "wind", "wine", "wing", "wire", "witch", "wolf", "wood", "word", "worm", "wound", "wreath", "wrist",
    "yard", "yarn", "yolk", "zoo",
];

#[rustfmt::skip]
const ONSETS: &[&str] = &[
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kn", "l", "m", "n", "p",
    "ph", "pl", "pr", "qu", "r", "s", "sc", "sh", "sk", "sl", "sm", "sn", "sp", "st", "str", "sw", "t", "th", "tr", "tw", "v", "w",
    "wh", "y", "z", "",
];
const VOWELS: &[&str] =
    &["a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou"];
#[rustfmt::skip]
const CODAS: &[&str] = &[
    "", "", "b", "ck", "ct", "d", "ft", "g", "l", "ll", "lt", "m", "mp", "n", "nd", "ng", "nk", "nt", "p", "r", "rd", "rk", "rn",
    "rt", "s", "sh", "ss", "st", "t", "th", "tch", "w", "x",
];
#[rustfmt::skip]
const ENDINGS: &[&str] = &[
    "", "", "", "", "", "", "er", "ing", "ed", "y", "le", "ion", "ish", "ment", "ness", "ful", "al", "ous", "en", "ery", "ard", "ow",
];

/// An English or an invented word that belongs to the split.
pub(crate) fn unheard(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let word = if draws.chance(0.5) { draws.pick(PLAIN).to_owned() } else { invented(draws) };
        draws.split().owns(&word).then_some(word)
    })
}

/// Something like a word, of one to three syllables.
fn invented(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let mut word = String::new();
        for _ in 0..1 + draws.weighted(&[2.0, 3.0, 1.0]) {
            for part in [ONSETS, VOWELS, CODAS] {
                word.push_str(draws.pick(part));
            }
        }
        word.push_str(draws.pick(ENDINGS));
        (3..=11).contains(&word.len()).then_some(word)
    })
}

/// Something of the pool; outside evaluation half of the time a phrase of its shape in unheard words.
pub(crate) fn of(draws: &mut Draws, pool: &[&'static str]) -> String {
    let known = draws.word(pool);
    if draws.split() == Split::Eval || draws.chance(0.45) {
        return known.to_owned();
    }
    draws.until(|draws| {
        let words: Vec<String> = known.split(' ').map(|w| renewed(w, draws)).collect();
        let phrase = words.join(" ");
        draws.split().owns(&phrase).then_some(phrase)
    })
}

/// `n` different ones.
pub(crate) fn several(draws: &mut Draws, pool: &[&'static str], n: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(n);
    while all.len() < n {
        let next = draws.until(|draws| Some(of(draws, pool)).filter(|w| !all.contains(w)));
        all.push(next);
    }
    all
}

fn renewed(word: &str, draws: &mut Draws) -> String {
    if KEPT.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.to_owned();
    }
    let new = unheard(draws);
    if word.starts_with(char::is_uppercase) { capitalised(&new) } else { new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn training_hears_words_of_its_own_and_evaluation_only_the_pools() {
        let pool = crate::skills::pools::PLACES;
        let phrases = |split| -> BTreeSet<String> {
            (0..300).map(|index| of(&mut Draws::new(split, 1, index), pool)).collect()
        };
        assert!(phrases(Split::Eval).iter().all(|p| pool.contains(&p.as_str())));
        let unknown = phrases(Split::Train).iter().filter(|p| !pool.contains(&p.as_str())).count();
        assert!(unknown > 100, "{unknown}");
    }

    #[test]
    fn every_plain_word_stands_once() {
        let unique: BTreeSet<_> = PLAIN.iter().collect();
        assert_eq!(unique.len(), PLAIN.len());
    }
}
