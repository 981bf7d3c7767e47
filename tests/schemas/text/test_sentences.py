"""Cutting a reply into pieces worth speaking."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.text.sentences import LONGEST, Piece, SentenceSplitter, ends_sentence, sentences, speakable

_TEXT = """Hello I went to Dr. Smith at 5 p.m. and paid 3.50 or e.g. 1,000 euros, then … left! Really? No. (Yes) "Go." he
said; so: why — **bold** `code` 🎉 👩‍🚀 1. 2) - item#next [link](http://x.y) example.com U.S. etc. J. R. こんにちは。
你好，世界！今天天气很好，我们去 über’s don't done.The well.I'm Dr.Smith really?Yes v1.2.Final Node.js यह है।दूसरा اچھا۔ ok؟
「はい。」と言った。 Mr.T done." a.The. ```python | --- &amp; <break time="1. "/> <b x=' a; "b."""
WORDS = st.sampled_from([word.replace("#", "\n") for word in _TEXT.split()])
TEXT = st.one_of(st.lists(WORDS, max_size=60).map(" ".join), st.text(max_size=700))


def chopped(text: str, cuts: list[int]) -> list[Piece]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    splitter = SentenceSplitter()
    pieces = []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        pieces += splitter.feed(text[start:end])
    return pieces + splitter.flush()


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_reassembly_is_exact(text: str) -> None:
    """The raw pieces joined are the reply, to the character."""
    assert "".join(piece.raw for piece in chopped(text, [])) == text


@settings(max_examples=300, deadline=None)
@given(TEXT, st.lists(st.integers(0, 10_000), max_size=40))
def test_pieces_do_not_depend_on_how_the_stream_was_chopped(text: str, cuts: list[int]) -> None:
    """A reply asked for again falls into the same pieces, however its tokens come."""
    assert chopped(text, cuts) == chopped(text, [])


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_pieces_are_bounded_and_clean(text: str) -> None:
    """No piece is longer than a decoder likes, none carries line breaks or emoji, and none but the last is a single word."""
    pieces = chopped(text, [])
    for piece in pieces:
        assert len(piece.text) <= LONGEST
        assert not re.search("[\n\U0001f300-\U0001faff]", piece.text)
        assert piece.text == speakable(piece.raw)
    for piece in pieces[:-1]:
        assert len(piece.raw) >= LONGEST // 3 or len(re.findall(r"\w+", piece.text)) >= 2 or not piece.text.isascii()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The capital is Paris. It has 2.1 million people.", ["The capital is Paris.", "It has 2.1 million people."]),
        (
            "Dr. Smith came at 5 p.m. yesterday. J. R. Ewing left.",
            ["Dr. Smith came at 5 p.m. yesterday.", "J. R. Ewing left."],
        ),
        ("We open at 9 a.m. Come early.", ["We open at 9 a.m.", "Come early."]),
        ("I moved to the U.S. Then I came back here.", ["I moved to the U.S.", "Then I came back here."]),
        ('He said "Go away." Then he left.', ['He said "Go away."', "Then he left."]),
        ("Well… maybe we could. I am not sure!", ["Well… maybe we could.", "I am not sure!"]),
        ("Really?! I did not know that.", ["Really?! I did not know that."]),
        ("Yes.", ["Yes."]),
        ("Yes, of course, Tom.", ["Yes, of course, Tom."]),
        ("Sure. I can help you with that.", ["Sure. I can help you with that."]),
        ("The answer is no. You can try again.", ["The answer is no.", "You can try again."]),
        ("It is No. 5 on the list.", ["It is No. 5 on the list."]),
        ("1. Red apples\n2. Green pears\n", ["1. Red apples", "2. Green pears"]),
        ("- **Red** apples\n- _Green_ pears 🎉\n", ["Red apples", "Green pears"]),
        ("See [our page](https://a.b/c) or a.b/c for more. Bye now!", ["See our page or a.b/c for more.", "Bye now!"]),
        ("2*3 is 6 and snake_case stays.", ["2*3 is 6 and snake_case stays."]),
        ("今日はいい天気ですね。散歩に行きましょう。", ["今日はいい天気ですね。", "散歩に行きましょう。"]),
        ("🎉", [""]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """Abbreviations, decimals, quotes, lists, markdown and wide full stops are cut where a reader would."""
    assert [piece.text for piece in chopped(text, [])] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("「行きましょう。」と彼は言った。「いいですね！」", ["「行きましょう。」と彼は言った。", "「いいですね！」"]),
        ("今天天气很好。我们去公园吧！你想去吗？好的。", ["今天天气很好。", "我们去公园吧！", "你想去吗？", "好的。"]),
        ("That is done.The second one is next.", ["That is done.", "The second one is next."]),
        ("Is it done?Yes, it is done!Then we go.", ["Is it done?", "Yes, it is done!", "Then we go."]),
        ('He said "it is done."The others left.', ['He said "it is done."', "The others left."]),
        ("I live in Paris.It is a large city.", ["I live in Paris.", "It is a large city."]),
        ("That was in 1999.The next one came later.", ["That was in 1999.", "The next one came later."]),
        ("C’est fini.École et musée sont fermés.", ["C’est fini.", "École et musée sont fermés."]),
        ("See the U.S.A and example.com for more.", ["See the U.S.A and example.com for more."]),
        ("We use Node.js and System.Out for e.g.this one.", ["We use Node.js and System.Out for e.g.this one."]),
        ("It is v1.2.Final by J.R.R. Tolkien.", ["It is v1.2.Final by J.R.R. Tolkien."]),
        ("Ask Dr.Smith about report.Final.pdf please.", ["Ask Dr.Smith about report.Final.pdf please."]),
        (
            "Go to https://a.example/b?The=c!Now or x.y@Mail.Com then.",
            ["Go to https://a.example/b?The=c!Now or x.y@Mail.Com then."],
        ),
        ("Call time.Now() or my_file.The other.", ["Call time.Now() or my_file.The other."]),
        (
            'Take <sub alias="Mr. T. Then go.">it</sub> now. <break time="1.5s"/> Tom &amp; Jerry. Bye now.',
            ['Take <sub alias="Mr. T. Then go.">it</sub> now.', '<break time="1.5s"/> Tom &amp; Jerry.', "Bye now."],
        ),
        ("यह पहला वाक्य है। यह दूसरा वाक्य है।", ["यह पहला वाक्य है।", "यह दूसरा वाक्य है।"]),
        ("यह पहला वाक्य है।यह दूसरा वाक्य है॥", ["यह पहला वाक्य है।", "यह दूसरा वाक्य है॥"]),
        ("كيف حالك اليوم؟ أنا بخير جدا.", ["كيف حالك اليوم؟", "أنا بخير جدا."]),
        ("یہ پہلا جملہ ہے۔ یہ دوسرا جملہ ہے۔", ["یہ پہلا جملہ ہے۔", "یہ دوسرا جملہ ہے۔"]),
        ("Սա առաջին նախադասությունն է։ Սա երկրորդն է։", ["Սա առաջին նախադասությունն է։", "Սա երկրորդն է։"]),
        ("ይህ የመጀመሪያው ነው። ይህ ሁለተኛው ነው።", ["ይህ የመጀመሪያው ነው።", "ይህ ሁለተኛው ነው።"]),
        ("ဒါက ပထမ ဝါကျ ဖြစ်ပါတယ်။ ဒုတိယ ဝါကျ ဖြစ်ပါတယ်။", ["ဒါက ပထမ ဝါကျ ဖြစ်ပါတယ်။", "ဒုတိယ ဝါကျ ဖြစ်ပါတယ်။"]),
        ("នេះជាប្រយោគទីមួយ។ នេះជាប្រយោគទីពីរ។", ["នេះជាប្រយោគទីមួយ។", "នេះជាប្រយោគទីពីរ។"]),
        ("Run this:\n```python\nprint(1)\n```\nThen look at it.", ["Run this:", "print(1)", "Then look at it."]),
        ("| City | Size |\n|---|---|\n| Paris | 2 |\n", ["City, Size.", "Paris, 2."]),
    ],
)
def test_sentences_without_a_blank_between_and_of_other_scripts(text: str, expected: list[str]) -> None:
    """A mark glued to a capital ends a sentence where it is no address, name, number or code; every script has its own marks."""
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("I can help you with that, just tell me where you are.", "I can help you with that,"),
        ("That depends on the weather and I think you should wait.", "That depends on the weather"),
        ("Hello, you're not here to chat with me about my favorite recipes.", "Hello, you're not here"),
        ("The weather tomorrow morning will be mostly sunny.", "The weather tomorrow morning"),
        ("Well, yes, you could do that if you like.", "Well, yes, you could do that"),
        ("It costs 1,000 euros, more or less, in the summer.", "It costs 1,000 euros,"),
        ("今天天气很好，我们一起去公园散步吧。", "今天天气很好，"),
        ("東京は日本の首都で、とても大きな都市です。", "東京は日本の首都で、"),
        ("你好，世界，今天我们去公园。", "你好，世界，"),
        ("我现在就要去，走吧。", "我现在就要去，走吧。"),
        ("Here are Tom and Jerry &amp; their friends, all of them.", "Here are Tom and Jerry &amp; their friends,"),
        ("Good question — the tower was built in 1889.", "Good question —"),
    ],
)
def test_first_piece_may_be_a_clause(text: str, first: str) -> None:
    """The first piece ends at the first clause that is long enough to be spoken alone; a resumed reply has no such first."""
    assert chopped(text, [])[0].text == first
    resumed = SentenceSplitter(begun=True)
    assert [piece.text for piece in resumed.feed(text) + resumed.flush()] == [text]


def test_first_piece_comes_before_the_sentence_is_there() -> None:
    """The clause is out one word after its comma, not at the end of the sentence."""
    splitter = SentenceSplitter()
    assert splitter.feed("I can help you with that, just") == []
    assert [piece.text for piece in splitter.feed(" tell")] == ["I can help you with that,"]


def test_a_chinese_clause_is_out_before_its_sentence() -> None:
    """Where no blanks part the words the first clause is out four letters after its comma."""
    splitter = SentenceSplitter()
    assert splitter.feed("今天天气很好，我们一") == []
    assert [piece.text for piece in splitter.feed("起")] == ["今天天气很好，"]


def test_a_long_piece_is_measured_in_syllables() -> None:
    """Chinese without a full stop is cut where its sound would be as long as that of the longest English piece."""
    pieces = sentences("我们一起去公园散步然后回家吃饭，" * 20)
    assert len(pieces) > 1
    assert all(len(piece) <= LONGEST // 3 for piece in pieces)


@pytest.mark.parametrize("text", ["Yes.", 'He said "no!"', "そうです。」", "है।", "؟ہے۔", "So…", "**Done.**", "Բարև։"])
def test_the_end_of_a_sentence(text: str) -> None:
    """What ends a sentence for the splitter ends it for whoever looks at a sentence that is cut off."""
    assert ends_sentence(text)
    assert not ends_sentence(text + " and")


def test_a_whole_text_in_sentences() -> None:
    """What an agent says of its own accord is cut as a reply is: titles hold together, markdown is not spoken."""
    assert sentences("Go to **Dr. Smith** now. He is in! Ask him.") == ["Go to Dr. Smith now.", "He is in!", "Ask him."]
    assert sentences("🎉") == ["🎉"]
    assert sentences("") == [""]
