//! The words that generated items are about. Which split a word belongs to, its hash decides.

use crate::draws::Draws;

#[rustfmt::skip]
pub(crate) const NAMES: &[&str] = &[
    "Ada", "Adam", "Agnes", "Aisha", "Alba", "Alec", "Alice", "Alma", "Amir", "Amy", "Ana",
    "Anders", "Anna", "Anton", "Arlo", "Arthur", "Asa", "Astrid", "Bea", "Ben", "Bert", "Bianca",
    "Bo", "Boris", "Bruno", "Carl", "Carla", "Carmen", "Celia", "Clara", "Cora", "Daisy", "Dana",
    "Daniel", "Dara", "David", "Dilan", "Dora", "Edgar", "Edith", "Elena", "Eli", "Elif", "Ella",
    "Elsa", "Emil", "Emma", "Erik", "Esther", "Eva", "Fatima", "Felix", "Finn", "Flora", "Frank",
    "Freya", "Frida", "George", "Gina", "Grace", "Greta", "Gus", "Hanna", "Harry", "Hassan",
    "Hector", "Heidi", "Helen", "Henry", "Hugo", "Ian", "Ida", "Igor", "Ines", "Ingrid", "Iris",
    "Isaac", "Ivan", "Ivy", "Jack", "Jade", "Jan", "Jasper", "Joan", "Joel", "Johan", "Jonas",
    "Josie", "Judith", "Jules", "Julia", "Kai", "Karen", "Karim", "Kate", "Kira", "Klaus", "Lara",
    "Lars", "Laura", "Layla", "Lena", "Leo", "Lily", "Linus", "Lisa", "Liv", "Lola", "Louis",
    "Lucas", "Lucy", "Luna", "Maja", "Malik", "Mara", "Marco", "Maria", "Marie", "Mark", "Marta",
    "Martin", "Mary", "Max", "Maya", "Mia", "Mila", "Milan", "Mina", "Mira", "Moses", "Nadia",
    "Nils", "Nina", "Noah", "Nora", "Olga", "Olive", "Omar", "Oscar", "Otto", "Paul", "Paula",
    "Pedro", "Peter", "Petra", "Pia", "Pippa", "Priya", "Quentin", "Rachel", "Rana", "Ravi",
    "Rita", "Robert", "Robin", "Rosa", "Rose", "Ruth", "Ryan", "Salma", "Sam", "Samir", "Sandra",
    "Sara", "Simon", "Sofia", "Sonja", "Stella", "Sven", "Tara", "Theo", "Thomas", "Tilda", "Tim",
    "Tina", "Tom", "Uma", "Ursula", "Vera", "Victor", "Viola", "Walter", "Wanda", "Wendy", "Will",
    "Xenia", "Yara", "Yusuf", "Zara", "Zeno", "Zoe",
];

#[rustfmt::skip]
pub(crate) const PETS: &[&str] = &[
    "dog", "cat", "hamster", "rabbit", "parrot", "horse", "goldfish", "tortoise", "guinea pig",
    "canary", "kitten", "puppy", "pony", "lizard", "ferret", "goat", "donkey", "snake", "hedgehog",
    "duck", "budgie", "mouse", "rat", "chicken", "frog", "gecko",
];

#[rustfmt::skip]
pub(crate) const RELATIONS: &[&str] = &[
    "brother", "sister", "mother", "father", "wife", "husband", "daughter", "son", "aunt", "uncle",
    "boss", "neighbour", "teacher", "doctor", "best friend", "grandmother", "grandfather",
    "cousin", "dentist", "landlord", "plumber", "colleague", "flatmate", "piano teacher", "coach",
    "niece", "nephew", "mother-in-law", "barber", "lawyer", "godson", "tutor", "trainer",
    "manager", "partner", "stepsister", "roommate", "vet", "accountant", "gardener",
];

#[rustfmt::skip]
pub(crate) const COLOURS: &[&str] = &[
    "red", "blue", "green", "yellow", "black", "white", "brown", "grey", "purple", "orange",
    "pink", "silver", "golden", "turquoise", "beige", "violet", "crimson", "navy blue",
    "olive green", "cream", "maroon", "teal", "lilac", "copper", "amber", "ivory", "scarlet",
    "mint green", "khaki", "indigo", "magenta", "sky blue", "jade", "bronze",
];

#[rustfmt::skip]
pub(crate) const FOODS: &[&str] = &[
    "pizza", "lentil soup", "sushi", "pancakes", "apple pie", "curry", "spinach lasagne",
    "noodles", "potato salad", "fish and chips", "ramen", "falafel", "mushroom risotto", "tacos",
    "dumplings", "cheesecake", "porridge", "goulash", "paella", "ratatouille", "plum cake",
    "tomato soup", "waffles", "roast chicken", "bean stew", "rice pudding", "onion tart",
    "carrot cake", "couscous", "gnocchi", "quiche", "omelette", "borscht", "moussaka", "pilaf",
    "polenta", "beef stew", "chowder", "fondue", "fruit salad",
];

#[rustfmt::skip]
pub(crate) const CITIES: &[&str] = &[
    "Paris", "Berlin", "Lisbon", "Oslo", "Vienna", "Prague", "Dublin", "Rome", "Madrid", "Athens",
    "Warsaw", "Helsinki", "Cairo", "Lima", "Quito", "Boston", "Denver", "Toronto", "Kyoto",
    "Osaka", "Hanoi", "Delhi", "Mumbai", "Nairobi", "Accra", "Tunis", "Bergen", "Graz", "Basel",
    "Lyon", "Porto", "Seville", "Turin", "Ghent", "Leeds", "York", "Bath", "Cork", "Riga",
    "Tallinn", "Vilnius", "Sofia", "Zagreb", "Bern", "Malmo", "Utrecht", "Bremen", "Krakow",
    "Perth", "Adelaide",
];

#[rustfmt::skip]
pub(crate) const JOBS: &[&str] = &[
    "nurse", "teacher", "carpenter", "baker", "pilot", "gardener", "bus driver", "lawyer",
    "plumber", "librarian", "cook", "painter", "engineer", "tailor", "farmer", "translator",
    "dentist", "waiter", "musician", "mechanic", "postman", "photographer", "bookseller",
    "surgeon", "clockmaker", "fisherman", "potter", "architect", "cleaner", "firefighter",
];

#[rustfmt::skip]
pub(crate) const THINGS: &[&str] = &[
    "spare key", "passport", "umbrella", "toolbox", "tent", "camera", "ladder", "hammer",
    "charger", "sewing kit", "torch", "first aid kit", "tea pot", "blue folder", "guitar",
    "bike pump", "suitcase", "old map", "garden hose", "chess set", "drill", "birth certificate",
    "sleeping bag", "red scarf", "winter coat", "picnic basket", "rain coat", "tape measure",
    "insurance letter", "wedding album", "screwdriver", "cake tin", "paint brush", "spare battery",
    "violin", "kite", "rucksack",
];

#[rustfmt::skip]
pub(crate) const PLACES: &[&str] = &[
    "under the blue pot", "in the kitchen drawer", "behind the door", "on the top shelf",
    "in the attic", "in the garage", "next to the sofa", "under the bed", "in the cellar",
    "in the grey box", "on the window sill", "in the car", "at the office", "behind the mirror",
    "in the garden shed", "in the green bag", "on the piano", "under the stairs",
    "in the hall cupboard", "beside the stove", "in the left pocket of my coat",
    "in the bottom drawer", "on the balcony", "in the laundry room", "in the wooden chest",
    "at my parents' house", "behind the books", "on the desk", "in the fridge",
    "under the doormat", "on the shoe rack", "in the red tin", "behind the clock",
    "in the bread box", "next to the printer",
];

#[rustfmt::skip]
pub(crate) const HOBBIES: &[&str] = &[
    "swimming", "chess", "hiking", "knitting", "fishing", "painting", "gardening", "baking",
    "sailing", "climbing", "reading", "dancing", "singing", "pottery", "cycling", "rowing",
    "skating", "archery", "birdwatching", "photography", "juggling", "fencing", "surfing",
    "origami", "woodwork", "stargazing",
];

#[rustfmt::skip]
pub(crate) const EVENTS: &[&str] = &[
    "dentist appointment", "job interview", "driving test", "piano lesson", "book club", "flight",
    "train", "concert", "parents' evening", "choir practice", "team meeting", "haircut",
    "eye test", "swimming lesson", "wedding", "house viewing", "yoga class", "car inspection",
    "bus", "ferry", "school play", "cooking class", "board meeting", "vaccination",
    "football match", "dance class", "exam", "phone call with the bank", "check-up",
    "language course",
];

/// Things that have a colour and a place: subjects of notes.
#[rustfmt::skip]
pub(crate) const GATHERINGS: &[&str] = &[
    "workshop", "concert", "meeting", "lecture", "exhibition", "market", "festival", "reading",
    "picnic", "training", "party", "auction", "tournament", "rehearsal", "guided tour",
    "flea market", "conference", "seminar", "ceremony", "bake sale", "quiz night", "book fair",
    "race", "film night", "open day", "dinner", "debate", "puppet show", "charity run",
    "wine tasting", "ballet", "opera", "reception", "hackathon", "bazaar", "excursion", "gala",
    "symposium", "regatta", "carnival", "recital", "retreat", "garage sale", "poetry slam",
    "chess evening", "harvest feast", "sports day", "parade", "christening", "presentation", "raffle", "matinee", "unveiling",
];

#[rustfmt::skip]
pub(crate) const VENUES: &[&str] = &[
    "the town hall", "the old library", "room 12", "the school gym", "the harbour",
    "the city park", "the blue room", "the museum", "the community centre", "the castle",
    "the market square", "the church hall", "room 7", "the main office", "the botanical garden",
    "the sports hall", "the theatre", "the river terrace", "room 4", "the fire station",
    "the lake house", "the old mill", "the north wing", "the roof garden", "the music school",
    "the railway museum", "the orchard", "the glass pavilion", "the water tower", "the ice rink",
    "hall 3", "hall 9", "the winter garden", "the tea house", "the boat house", "the courtyard",
    "room 15",
];

#[rustfmt::skip]
pub(crate) const OBJECTS: &[&str] = &[
    "lamp", "kettle", "bicycle", "tent", "camera", "radio", "backpack", "drill", "vase", "watch",
    "keyboard", "telescope", "fan", "toaster", "sofa", "desk", "printer", "heater", "scooter",
    "blender", "clock", "suitcase", "guitar", "microscope", "speaker", "mattress", "bookcase",
    "stove", "canoe", "fridge", "helmet", "piano", "rug", "mixer", "projector", "lawn mower",
];

#[rustfmt::skip]
pub(crate) const MATERIALS: &[&str] = &[
    "oak", "steel", "glass", "cotton", "aluminium", "leather", "bamboo", "brass", "wool",
    "plastic", "pine", "copper", "linen", "marble", "rubber", "clay", "silk", "granite", "cork",
    "walnut",
];

#[rustfmt::skip]
pub(crate) const CODE_NAMES: &[&str] = &[
    "Falcon", "Harvest", "Lantern", "Compass", "Orchid", "Granite", "Meadow", "Beacon", "Copper",
    "Horizon", "Maple", "Nimbus", "Pebble", "Quartz", "Raven", "Saffron", "Thunder", "Willow",
    "Ember", "Juniper", "Kestrel", "Lagoon", "Mosaic", "Nectar", "Pioneer", "Cobalt", "Atlas",
    "Bramble", "Aurora", "Basalt", "Canyon", "Delta", "Eclipse", "Fjord", "Glacier", "Helix",
    "Indigo", "Jasmine", "Krypton", "Lotus", "Magnet", "Neptune", "Onyx", "Phoenix", "Quill",
    "Sparrow", "Tundra", "Vortex", "Walnut", "Zenith",
];

#[rustfmt::skip]
pub(crate) const INSTRUMENTS: &[&str] = &[
    "violin", "piano", "flute", "guitar", "cello", "trumpet", "drums", "harp", "clarinet", "oboe",
    "accordion", "saxophone", "banjo", "organ", "mandolin", "ukulele", "trombone", "viola", "lute",
];

#[rustfmt::skip]
pub(crate) const WORDS: &[&str] = &[
    "river", "banana", "kitchen", "window", "garden", "pepper", "letter", "butter", "silver",
    "summer", "winter", "coffee", "bottle", "yellow", "rabbit", "pillow", "carrot", "dinner",
    "ladder", "hammer", "cherry", "cookie", "tomato", "potato", "orange", "basket", "blanket",
    "balloon", "umbrella", "pencil", "school", "teacher", "doctor", "street", "bridge", "forest",
    "desert", "island", "mirror", "candle", "pocket", "jacket", "button", "needle", "thread",
    "barrel", "bucket", "puddle", "meadow", "valley", "harbor", "castle", "palace", "temple",
    "turtle", "beetle", "spider", "monkey", "donkey", "parrot", "pigeon", "feather", "leather",
    "weather", "sister", "brother", "mother", "father", "cousin", "planet", "comet", "rocket",
    "engine", "wheel", "saddle", "paper", "story", "book", "table", "chair", "apple", "grape",
    "lemon", "melon", "peach", "bread", "cheese", "sugar", "honey", "spoon", "plate", "glass",
    "stone", "sand", "cloud", "storm", "snow", "light", "shadow", "music", "dance", "song", "drum",
    "bell", "door", "floor", "roof", "wall", "lamp", "clock", "shoe", "sock", "hat", "coat",
    "ring", "coin", "map", "boat", "ship", "train", "plane", "tree", "leaf", "root", "seed",
    "flower",
];

/// Members of a kind, for questions about what belongs together.
#[rustfmt::skip]
pub(crate) const KINDS: &[(&str, &[&str])] = &[
    ("fruit", &[
        "apple", "pear", "plum", "cherry", "grape", "lemon", "peach", "banana", "mango", "fig",
        "melon", "apricot", "orange",
    ]),
    ("animal", &[
        "dog", "horse", "cow", "goat", "wolf", "lion", "rabbit", "mouse", "bear", "fox",
        "sheep", "tiger", "monkey",
    ]),
    ("colour", &[
        "red", "blue", "green", "yellow", "purple", "brown", "pink", "black", "white", "grey",
    ]),
    ("tool", &[
        "hammer", "saw", "drill", "spanner", "pliers", "chisel", "rake", "shovel", "axe", "file",
    ]),
    ("vehicle", &[
        "car", "bus", "train", "truck", "tram", "bicycle", "scooter", "ferry", "plane", "tractor",
    ]),
    ("instrument", &[
        "violin", "piano", "flute", "guitar", "cello", "trumpet", "drum", "harp", "clarinet",
    ]),
    ("vegetable", &[
        "carrot", "onion", "potato", "cabbage", "leek", "spinach", "turnip", "pumpkin", "celery",
    ]),
    ("piece of furniture", &[
        "table", "chair", "sofa", "bed", "desk", "shelf", "wardrobe", "stool", "bench",
    ]),
    ("bird", &[
        "eagle", "sparrow", "owl", "robin", "crow", "swan", "duck", "pigeon", "gull", "stork",
    ]),
    ("piece of clothing", &[
        "shirt", "coat", "sock", "scarf", "glove", "skirt", "hat", "jumper", "belt",
    ]),
];

/// Syllables of made-up words: with them a model has to copy, not to know.
#[rustfmt::skip]
const ONSETS: &[&str] = &[
    "b", "br", "c", "ch", "d", "dr", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "qu",
    "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "y", "z",
];
#[rustfmt::skip]
const VOWELS: &[&str] = &[
    "a", "e", "i", "o", "u", "ai", "ea", "ee", "ou",
];
const ENDS: &[&str] =
    &["", "", "l", "m", "n", "r", "s", "t", "x", "nd", "rk", "sk", "lin", "ver", "bo"];

/// A made-up name that belongs to the split.
pub(crate) fn made_up_name(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let mut name = String::new();
        for _ in 0..1 + draws.below(2) {
            name.push_str(draws.pick(ONSETS));
            name.push_str(draws.pick(VOWELS));
        }
        name.push_str(draws.pick(ONSETS));
        name.push_str(draws.pick(VOWELS));
        name.push_str(draws.pick(ENDS));
        let name = crate::wording::capitalised(&name);
        draws.split().owns(&name).then_some(name)
    })
}

/// A name: three in four from the list (or unheard, in training), the rest made up.
pub(crate) fn name(draws: &mut Draws) -> String {
    match draws.chance(0.25) {
        true => made_up_name(draws),
        false => super::words::of(draws, NAMES),
    }
}

/// Something like a password or a reference: letters and digits.
pub(crate) fn code(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let mut code = String::new();
        let form =
            draws.pick(&["0000", "A00", "00AA", "AA-000", "aaaa00", "aaa-aaa", "A0-00", "aaaaa"]);
        for c in form.chars() {
            code.push(match c {
                'A' => draws.pick(b"ABCDEFGHJKLMNPQRSTUVWXYZ") as char,
                'a' => draws.pick(b"abcdefghijklmnopqrstuvwxyz") as char,
                '0' => draws.pick(b"0123456789") as char,
                other => other,
            });
        }
        draws.split().owns(&code).then_some(code)
    })
}

/// A time of day in steps of five minutes.
pub(crate) fn clock_time(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let time = format!("{}:{:02}", draws.between(7, 22), 5 * draws.between(0, 11));
        draws.split().owns(&time).then_some(time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Split;

    #[test]
    fn every_pool_has_enough_for_both_splits_and_no_word_twice() {
        let pools = [
            NAMES,
            PETS,
            RELATIONS,
            COLOURS,
            FOODS,
            CITIES,
            JOBS,
            THINGS,
            PLACES,
            HOBBIES,
            EVENTS,
            GATHERINGS,
            VENUES,
            OBJECTS,
            MATERIALS,
            CODE_NAMES,
            INSTRUMENTS,
            WORDS,
        ];
        for pool in pools {
            let held_out = pool.iter().filter(|w| Split::Eval.owns(w)).count();
            assert!(held_out >= 4 && pool.len() - held_out >= 8, "{:?}: {held_out}", pool[0]);
            let unique: std::collections::BTreeSet<_> = pool.iter().collect();
            assert_eq!(unique.len(), pool.len(), "{:?}", pool[0]);
        }
    }
}
