"""Instructions without one right answer: stories, descriptions, opinions.

Every sentence is drawn from a grammar with many branches, so that the next word can rarely be foreseen: the text on
which speculation has least to gain.
"""

from __future__ import annotations

import random

from . import words as w
from .structured import Maker, Pair, ask

PLACES = (
    "the old harbour,a quiet village,the edge of the forest,a crowded station,the top of the hill,an empty theatre,"
    "the market square,a narrow street,the river bank,a small island,the city library,a garden behind the wall,"
    "the lighthouse,a long corridor,the kitchen of an inn,a field of barley,the last train"
).split(",")
SUBJECTS = (
    "the old woman,a stranger,the captain,her brother,the gardener,a young clerk,the musician,a tired traveller,"
    "the teacher,a child with a red coat,the baker,his neighbour,a painter,the doctor,the night guard,a sailor"
).split(",")
VERBS = (
    "remembered,found,lost,carried,painted,described,followed,hid,repaired,noticed,bought,forgot,watched,promised,"
    "imagined,opened,wrote about,waited for,argued about,dreamed of"
).split(",")
OBJECTS = (
    "a broken clock,the letter,an unknown song,three silver coins,a map of the coast,the colour of the sea,a wooden box,"
    "the smell of rain,an old photograph,the missing key,a story nobody believed,the first snow,a basket of pears,"
    "the name of the ship,a lantern,the silence,a strange dream,the way home"
).split(",")
MOODS = "slowly gladly quietly suddenly carefully never always almost hardly perhaps again together alone early late".split()
TIMES = (
    "in the morning,that evening,after the storm,before sunrise,one winter,when the bells rang,in the autumn,years later,"
    "at midnight,during the long summer,on a grey day,while everyone slept"
).split(",")
FEELINGS = "joy fear hope anger calm doubt pride sorrow wonder relief".split()
THINGS = (
    "the sea,friendship,old houses,winter,travelling by train,gardens,music,silence,letters,big cities,books,cooking,"
    "growing up,rain,mountains,strangers,maps,mornings"
).split(",")


def sentence(rng: random.Random) -> str:
    subject, other = rng.sample(SUBJECTS, 2)
    thing, second = rng.sample(OBJECTS, 2)
    forms = (
        lambda: f"{rng.choice(TIMES)}, {subject} {rng.choice(VERBS)} {thing}",
        lambda: f"{subject} {rng.choice(VERBS)} {thing} near {rng.choice(PLACES)}",
        lambda: f"{subject} and {other} {rng.choice(MOODS)} {rng.choice(VERBS)} {thing}",
        lambda: f"at {rng.choice(PLACES)} {subject} {rng.choice(VERBS)} {thing}, but {other} {rng.choice(VERBS)} {second}",
        lambda: f"there was {rng.choice(FEELINGS)} in the air, and {subject} {rng.choice(MOODS)} {rng.choice(VERBS)} {thing}",
        lambda: f"nobody knew why {subject} {rng.choice(VERBS)} {thing} {rng.choice(TIMES)}",
        lambda: f"it was {rng.choice(MOODS)} about {rng.choice(THINGS)}, said {subject}, and {rng.choice(MOODS)} about {rng.choice(THINGS)}",
    )
    text = rng.choice(forms)()
    return text[0].upper() + text[1:] + "."


def paragraph(rng: random.Random, low: int = 4, high: int = 8) -> str:
    return " ".join(sentence(rng) for _ in range(rng.randint(low, high)))


def story(rng: random.Random) -> Pair:
    subject, place, thing = rng.choice(SUBJECTS), rng.choice(PLACES), rng.choice(OBJECTS)
    prompt = ask(rng, f"Tell me a story about {subject} and {thing}.", f"Write a short story set at {place}.",
                 f"Write a story that begins at {place} with {subject}.", f"Make up a tale about {thing}.")
    return prompt, paragraph(rng) + ("\n\n" + paragraph(rng, 3, 5) if rng.random() < 0.4 else "")


def musing(rng: random.Random) -> Pair:
    thing = rng.choice(THINGS)
    prompt = ask(rng, f"What do you think about {thing}?", f"Write a few lines about {thing}.", f"Describe {thing} in your own words.")
    return prompt, paragraph(rng, 3, 6)


MAKERS: dict[str, list[Maker]] = {"open_ended": [story, musing]}
