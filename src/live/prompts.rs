//! Prompts of about a given number of tokens, in several languages, with a shared beginning or without.
//!
//! A prompt is common words with spaces between them, about one token each for current tokenizers (more in some
//! languages); the endpoint's own count is in its usage, from which any model is made. A unique prompt begins with a
//! word that no other has, so that no prompt cache knows it; repeated prompts are equal up to their last word, so that
//! a prompt cache has an effect and a cache of whole answers has none. The run's start goes into the words, so that a
//! run finds nothing that an earlier one left in a cache. No text written by people is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::chance::{hash, index};

/// Whether prompts share their beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    /// No two prompts begin alike.
    #[default]
    Unique,
    /// All prompts begin alike, so that a prompt cache has an effect.
    Repeated,
}

/// The language of the words of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// A different language for each prompt, in turn.
    Mixed,
    /// English words only.
    #[default]
    En,
    /// German words only.
    De,
    /// French words only.
    Fr,
    /// Spanish words only.
    Es,
    /// Russian words only.
    Ru,
    /// Chinese words only.
    Zh,
    /// Japanese words only.
    Ja,
    /// Arabic words only.
    Ar,
    /// Hindi words only.
    Hi,
}

const WORDS: [(Language, &str); 9] = [
    (
        Language::En,
        "the and for with from this that have more time year people way day man thing world life hand part child eye place \
         work week case point home water room mother area money story fact month lot right study book word side kind head house \
         friend father power hour game line end member law car city name team minute idea body back parent face level office door",
    ),
    (
        Language::De,
        "der die und das nicht ein mit auch auf sich für von dem aber alle nach wie noch nur über Zeit Jahr Mensch Tag Welt Leben \
         Hand Kind Auge Arbeit Haus Wasser Stadt Land Frage Wort Weg Buch Seite Freund",
    ),
    (
        Language::Fr,
        "le la les et des une pour dans que avec sur pas plus tout comme mais nous temps jour homme vie main monde enfant travail \
         maison eau ville pays mot livre nuit porte ami heure point part fois tête terre",
    ),
    (
        Language::Es,
        "el la los y una para con por que más como pero todo este año día vida mano mundo hijo ojo lugar trabajo casa agua parte \
         ciudad palabra libro noche amigo hora tierra cuerpo nombre punto país forma gente agua",
    ),
    (
        Language::Ru,
        "и в не на что он как это она все год дело время день рука раз мир жизнь дом глаз слово место друг вода город книга час ночь \
         путь стол земля дверь имя лицо сила вопрос работа конец ребёнок человек",
    ),
    (
        Language::Zh,
        "我们 时间 世界 生活 工作 问题 人们 今天 地方 国家 学生 朋友 孩子 城市 文化 历史 语言 音乐 天气 经济 科学 社会 方法 家庭 \
         学习 故事 水果 房子 电话 早上 晚上 书本 眼睛 道路 山水 春天 老师 公司 手机 中国",
    ),
    (
        Language::Ja,
        "時間 世界 生活 仕事 問題 今日 場所 国 学生 友達 子供 町 文化 歴史 言葉 音楽 天気 経済 科学 社会 方法 家族 勉強 話 水 家 電話 \
         朝 夜 本 目 道 山 春 先生 会社 手 日本 人 心",
    ),
    (
        Language::Ar,
        "في من على أن إلى هذا كان مع كل بعد يوم وقت عالم حياة يد عمل بيت ماء مدينة بلد كلمة كتاب ليل باب صديق ساعة أرض اسم وجه قوة \
         سؤال طفل رجل عين مكان طريق قلب نور شمس بحر",
    ),
    (
        Language::Hi,
        "और का में है की से को पर यह एक समय दिन साल लोग जीवन हाथ काम घर पानी शहर देश शब्द किताब रात दरवाजा दोस्त घंटा नाम बच्चा आदमी \
         आँख जगह रास्ता दिल सूरज बात सवाल दुनिया मन खाना",
    ),
];

/// The sentence that asks for a long answer; its words are counted too.
const ASKING: &str = "Go on with such words and do not stop before there are a thousand of them.";

/// A generator of prompts.
#[derive(Clone, Copy, Debug)]
pub struct Prompts {
    /// Whether the prompts share their beginning.
    pub prefix: Prefix,
    /// The language of the prompts.
    pub language: Language,
    /// The salt that makes this run's words unique.
    pub salt: u64,
}

impl Prompts {
    /// The `n`-th prompt, of `words` words (at least one).
    pub fn text(&self, n: u64, words: u32) -> String {
        let place = if self.language == Language::Mixed {
            (n % WORDS.len() as u64) as usize
        } else {
            let own = |(language, _): &(Language, _)| *language == self.language;
            WORDS.iter().position(own).unwrap_or(0)
        };
        let list: Vec<&str> = WORDS[place].1.split_whitespace().collect();
        let own = hash(n, self.salt);
        let mark = format!("{:08x}", own >> 32);
        let stream = match self.prefix {
            Prefix::Unique => own,
            Prefix::Repeated => hash(place as u64, self.salt),
        };
        let words = words.max(1) as usize;
        let asking: Vec<&str> = ASKING.split(' ').collect();
        let asking = if words >= 2 * asking.len() { &asking[..] } else { &[] };
        let plain = words - 1 - asking.len();
        let plain = (0..plain).map(|i| list[index(hash(i as u64, stream), list.len())]);
        let mut text = String::with_capacity(words * 8);
        let mut push = |word: &str| {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        };
        if self.prefix == Prefix::Unique {
            push(&mark);
        }
        plain.chain(asking.iter().copied()).for_each(&mut push);
        if self.prefix == Prefix::Repeated {
            push(&mark);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(prefix: Prefix, language: Language) -> Prompts {
        Prompts {
            prefix,
            language,
            salt: 7,
        }
    }

    #[test]
    fn a_prompt_has_the_words_that_were_asked_for() {
        for prefix in [Prefix::Unique, Prefix::Repeated] {
            for (n, words) in [(0, 1), (1, 2), (2, 15), (3, 29), (4, 30), (5, 31), (6, 3000)] {
                let text = prompts(prefix, Language::Mixed).text(n, words);
                assert_eq!(text.split_whitespace().count(), words as usize, "{prefix:?}");
            }
        }
        assert_eq!(prompts(Prefix::Unique, Language::En).text(0, 0).split(' ').count(), 1);
    }

    #[test]
    fn unique_ones_begin_apart_and_repeated_ones_end_apart() {
        let first = |text: &str| text.split(' ').next().map(str::to_owned);
        let unique = prompts(Prefix::Unique, Language::En);
        let mut firsts: Vec<_> = (0..1000).map(|n| first(&unique.text(n, 50))).collect();
        firsts.sort();
        firsts.dedup();
        assert_eq!(firsts.len(), 1000);
        let repeated = prompts(Prefix::Repeated, Language::En);
        let (a, b) = (repeated.text(1, 500), repeated.text(2, 500));
        let start = |text: &str| text.rsplit_once(' ').map(|(start, _)| start.to_owned());
        assert_eq!(start(&a), start(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn another_run_has_other_words() {
        let one = prompts(Prefix::Repeated, Language::En);
        let other = Prompts { salt: 8, ..one };
        assert_ne!(one.text(0, 50)[..20], other.text(0, 50)[..20]);
    }

    #[test]
    fn every_language_has_words() {
        for (language, words) in WORDS {
            assert!(words.split_whitespace().count() >= 38, "{language:?}");
        }
    }
}
