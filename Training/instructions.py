"""Writes instructions for a target to answer, so that a head can be trained on what it says.

    python instructions.py --prose build/prose/usr/share/doc --wordnet build/prose/usr/share/wordnet --count 8000 \
        --out build/instructions.jsonl

Every line is one for `foretoken batch`: an id that begins with the category, the prompt, a seed and the most tokens to
answer with. Instructions are templates filled with topics written here, with words and sentences of WordNet, and with
passages of documentation. None is an evaluation prompt (`evaluation_prompts.jsonl`), which are all written by hand.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from corpus import words as w
from corpus.programs import FIELDS, MAKERS as PROGRAMS, NOUNS
from corpus.sources import prose

HERE = Path(__file__).parent

SUBJECTS = (
    "photosynthesis,the water cycle,black holes,volcanoes,the Roman Empire,the French Revolution,the printing press,vaccines,"
    "electric cars,solar panels,inflation,supply and demand,the stock market,democracy,the United Nations,climate change,"
    "plate tectonics,dinosaurs,evolution,DNA,the human heart,the immune system,sleep,dreams,meditation,yoga,marathon running,"
    "chess,football tactics,jazz,classical music,opera,impressionism,photography,film editing,poetry,Shakespeare,mythology,"
    "ancient Egypt,the Silk Road,the Industrial Revolution,the Cold War,space travel,the Moon landing,Mars,telescopes,"
    "artificial intelligence,computer networks,databases,encryption,operating systems,open-source software,the internet,"
    "mobile phones,bread baking,coffee,tea,chocolate,cheese making,vegetarian cooking,gardening,composting,beekeeping,"
    "bird watching,dogs,cats,horses,whales,sharks,coral reefs,rainforests,deserts,glaciers,rivers,earthquakes,hurricanes,"
    "recycling,public transport,bicycles,trains,aeroplanes,bridges,skyscrapers,cathedrals,city planning,housing prices,"
    "education,homework,learning languages,memory,reading,libraries,museums,travel on a budget,camping,hiking,swimming,"
    "time management,remote work,job interviews,teamwork,leadership,public speaking,negotiation,friendship,parenting,"
    "pets,stress,healthy eating,vitamins,sugar,water,gold,diamonds,steel,glass,paper,money,banks,insurance,taxes,charity,"
    "volunteering,elections,newspapers,social media,advertising,fashion,architecture,robots,drones,batteries,wind power,"
    "nuclear energy,gravity,light,sound,magnetism,atoms,the periodic table,fractions,probability,statistics,geometry"
).split(",")
PEOPLE = (
    "a lighthouse keeper,a retired detective,a young inventor,a ship's cook,a nervous actor,two sisters,a librarian,an old gardener,"
    "a robot who paints,a dragon who is afraid of fire,a lonely astronaut,a clockmaker,a street musician,a bus driver,a beekeeper,"
    "a stubborn goat,a queen without a crown,a time traveller,a chess player,a baker who cannot taste,a talking cat,a mountain guide,"
    "a blind painter,a spy on holiday,a doctor in a small village,a boy who collects maps,a girl who hears colours,a tired king"
).split(",")
SETTINGS = (
    "on a small island,in a city under the sea,in the last library on Earth,during a long winter,on a night train,in a desert town,"
    "at the edge of a forest,in a space station,in an old theatre,in medieval France,in the year 2150,on a farm,in a crowded market,"
    "in a haunted hotel,by a frozen lake,in New York in the 1920s"
).split(",")
TONES = "cheerful,serious,formal,friendly,humorous,dramatic,poetic,simple,persuasive,melancholic".split(",")
ROLES = (
    "a friendly travel guide,a strict teacher,a pirate captain,a medieval knight,a customer support agent,a personal trainer,"
    "a doctor talking to a patient,a wise grandmother,a detective from the 1940s,a job interviewer,a chef,a history professor,"
    "a science-fiction computer,a poet,a shopkeeper in a fantasy village,a football coach,a financial adviser,a ghost,"
    "a museum guide,an alien visiting Earth,a farmer,a film critic,a software engineer,a weather presenter,Sherlock Holmes,"
    "a barista,a hotel receptionist,a judge,a mayor,a salesperson"
).split(",")
LANGUAGES = "French,Spanish,German,Italian,Portuguese,Dutch".split(",")
TASKS = (
    "reverses a string,checks whether a number is prime,counts the vowels in a text,finds the largest element of a list,"
    "sorts a list without using the built-in sort,computes the factorial of a number,merges two sorted lists,removes duplicates from a list,"
    "checks whether a word is a palindrome,computes Fibonacci numbers,converts Celsius to Fahrenheit,counts the words in a file,"
    "reads a CSV file and prints the rows,parses a date,validates an e-mail address,flattens a nested list,finds the second largest number,"
    "rotates a list by n places,computes the greatest common divisor,groups words by their first letter,implements a stack,"
    "implements a queue,implements binary search,counts how often each character appears,generates a random password,"
    "downloads a web page,computes the average of a list,transposes a matrix,checks whether two strings are anagrams,"
    "converts a number to binary,implements a linked list,finds the missing number in a list from 1 to n,computes a running total,"
    "capitalises every word,prints a multiplication table,simulates rolling dice,implements a simple bank account class,"
    "filters even numbers,finds the longest word in a sentence,implements bubble sort"
).split(",")
CODE_LANGUAGES = ["Python"] * 5 + "JavaScript,Java,C,Swift,Go,Rust,Bash".split(",")
THINGS_TO_LIST = (
    "ways to save energy at home,healthy breakfasts,exercises without equipment,questions for a job interview,gifts for a gardener,"
    "indoor plants that need little light,board games for four players,tips for a first marathon,famous scientists,inventions that changed the world,"
    "books for teenagers,steps to start a small business,things to pack for a beach holiday,ways to learn vocabulary,cheap dinners,"
    "safety rules for a laboratory,benefits of walking,mistakes in public speaking,icebreakers for a meeting,uses of vinegar,"
    "hobbies for winter,ways to reduce stress,types of clouds,animals that live in the Arctic,rivers in Europe,kinds of pasta"
).split(",")
TABLES = (
    "three programming languages by speed and ease of learning,the planets by size and distance,four kinds of tea by taste and caffeine,"
    "trains and planes by cost and comfort,three phones by price and battery,five countries by capital and continent,"
    "cats and dogs as pets,common metals by density and use,weekly exercise plans,four seasons by weather and activities,"
    "three diets by cost and difficulty,types of energy by cost and pollution"
).split(",")
OCCASIONS = (
    "to my landlord about a broken heater,to a colleague to postpone a meeting,to a customer whose parcel is late,to my teacher about missed homework,"
    "to apply for a summer job,to invite friends to a birthday party,to thank a host,to complain about a hotel room,to ask for a refund,"
    "to my manager to ask for a day off,to a supplier about a wrong invoice,to new members of a club,to a neighbour about noise,"
    "to remind the team of a deadline,to cancel a subscription,to congratulate a friend on a new job,to ask a professor for a reference"
).split(",")
PROBLEMS = (
    "my houseplant is losing its leaves,I cannot sleep at night,my laptop is very slow,I argued with a friend,I keep forgetting names,"
    "my bread does not rise,I have to give a speech tomorrow,I want to learn the guitar,my dog barks at visitors,I feel bored at work,"
    "I want to save money for a trip,my neighbour plays loud music,I want to run five kilometres,I have too many e-mails,"
    "I moved to a new city and know nobody,I want to read more books,I burned the rice again,I have an exam next week,"
    "my phone battery dies quickly,I want to eat less sugar,my bicycle chain keeps falling off,I am nervous about flying"
).split(",")
SHOPPING = "apples pears notebooks pencils tickets chairs bottles books eggs plates lamps stamps oranges boxes".split()


class Material:
    """Passages of documentation, and words, definitions and example sentences of WordNet."""

    def __init__(self, folders: list[Path], wordnet: Path, rng: random.Random) -> None:
        self.passages = []
        for text in prose(folders, rng):
            text = re.sub(r":\w+:`([^`<]*)[^`]*`|\*\*|``", lambda m: m[1] or "", text)
            for part in text.split("\n\n"):
                sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", part)
                taken = ""
                while sentences and len(taken) < 500:
                    taken = f"{taken} {sentences.pop(0)}".strip()
                if 250 < len(taken) < 1400 and not re.search(r"\b(Prev|Next|Home)\b", taken):
                    self.passages.append(taken)
        # How often each noun was met in the sense-tagged texts: frequent ones are good topics.
        counts: Counter[str] = Counter()
        for line in (wordnet / "cntlist.rev").read_text().splitlines():
            key, _, count = line.split(" ")
            lemma, sense = key.split("%")
            if sense.startswith("1:"):
                counts[lemma.replace("_", " ")] += int(count)
        self.nouns = [noun for noun, count in counts.most_common(2500) if len(noun) > 3]
        self.definitions, self.sentences = [], []
        for part in ("noun", "verb", "adj"):
            for line in (wordnet / f"data.{part}").read_text().splitlines():
                if line.startswith(" ") or "|" not in line:
                    continue
                fields, gloss = line.split("|", 1)
                definition, *examples = gloss.strip().split('; "')
                word = fields.split(" ")[4].replace("_", " ")
                if part == "noun" and counts[word] > 2:
                    self.definitions.append((word, definition.split(";")[0]))
                for example in examples:
                    example = example.strip(' ";')
                    if 25 < len(example) < 120 and example.count(" ") > 4 and '"' not in example:
                        self.sentences.append(example[0].upper() + example[1:] + ("" if example[-1] in ".?!" else "."))

    def topic(self, rng: random.Random) -> str:
        return rng.choice(SUBJECTS) if rng.random() < 0.7 else rng.choice(self.nouns)

    def passage(self, rng: random.Random) -> str:
        return rng.choice(self.passages) if rng.random() < 0.5 else report(rng)


def report(rng: random.Random) -> str:
    """A passage with many facts, all of them made up."""
    name, other, company, city = w.full_name(rng), w.full_name(rng), w.company(rng), rng.choice(w.CITIES)
    year, count, product = rng.randint(1950, 2022), rng.randint(12, 900), w.product(rng)
    sentences = [
        f"{company} was founded in {city} in {year} by {name}, who had worked as {w.article(rng.choice(w.JOBS))} before.",
        f"The company employs {count} people and is best known for its {product}, which costs {w.price(rng):.2f} euros.",
        f"In {rng.choice(w.MONTHS)} it opened a second office in {rng.choice(w.CITIES)}, led by {other}.",
        f"Sales rose by {rng.randint(2, 60)} percent last year, mostly because of new customers in {rng.choice(w.COUNTRIES)}.",
        f"{other} said that the {rng.choice(w.DEPARTMENTS)} department would grow to {rng.randint(5, 90)} people by next {rng.choice(w.MONTHS)}.",
        f"A meeting about {rng.choice(w.TOPICS)} is planned for {rng.choice(w.WEEKDAYS)} at {w.clock_time(rng)} in {rng.choice(w.STREETS)} {rng.randint(1, 99)}.",
        f"Critics say that the {product} is too heavy, and that its {rng.choice(w.MATERIALS)} case breaks easily.",
        f"{name}, now {rng.randint(30, 80)} years old, still visits the workshop every {rng.choice(w.WEEKDAYS)} and plays the {rng.choice(w.INSTRUMENTS)} in a local band.",
        f"The next project, called {rng.choice(w.PROJECTS)}, has a budget of {rng.randint(2, 90) * 10_000} euros and will begin on {w.spoken_date(rng)}.",
    ]
    first, rest = sentences[:2], sentences[2:]
    return " ".join(first + rng.sample(rest, rng.randint(2, 6)))


def writing(rng: random.Random, m: Material) -> str:
    person, place, topic, tone = rng.choice(PEOPLE), rng.choice(SETTINGS), m.topic(rng), rng.choice(TONES)
    return rng.choice([
        f"Write a short story about {person} {place}.", f"Write a {tone} poem about {topic}.",
        f"Write the opening paragraph of a novel about {person}.", f"Tell me a {tone} story about {person} and {rng.choice(PEOPLE)}.",
        f"Write a blog post about {topic} in a {tone} tone.", f"Describe {topic} in a {tone} way, in about 100 words.",
        f"Write an essay introduction on {topic}.", f"Write a dialogue between {person} and {rng.choice(PEOPLE)} about {topic}.",
        f"Write a product description for the {w.product(rng)}, made of {rng.choice(w.MATERIALS)}.",
        f"Write a diary entry of {person} {place}.", f"Write a speech about {topic} for {rng.choice(w.JOBS)}s.",
        f"Continue this story: {rng.choice(m.sentences)}", f"Write a haiku about {topic}.",
        f"Rewrite this sentence in a {tone} tone: {rng.choice(m.sentences)}"])


def roleplay(rng: random.Random, m: Material) -> str:
    role, topic, problem = rng.choice(ROLES), m.topic(rng), rng.choice(PROBLEMS)
    return rng.choice([
        f"You are {role}. A visitor asks you about {topic}. Answer in character.",
        f"Pretend to be {role} and explain {topic} to me.", f"Act as {role}. I say: \"{problem[0].upper()}{problem[1:]}.\" What do you answer?",
        f"Play the part of {role} who meets {rng.choice(PEOPLE)} {rng.choice(SETTINGS)}. What happens?",
        f"Imagine you are {role}. Describe your morning.", f"I want you to act as {role}. My first question is: what should I know about {topic}?",
        f"Speak as {role} and give advice to someone who says: \"{problem[0].upper()}{problem[1:]}.\""])


def reasoning(rng: random.Random, m: Material) -> str:
    topic, other = m.topic(rng), m.topic(rng)
    a, b, c = rng.sample(w.FIRST_NAMES, 3)
    more, most = rng.choice([("older", "oldest"), ("taller", "tallest"), ("faster", "fastest"), ("richer", "richest")])
    return rng.choice([
        f"Why do people care about {topic}?", f"What are the advantages and disadvantages of {topic}?", f"Compare {topic} and {other}.",
        f"How does {topic} work? Explain step by step.", f"{a} is {more} than {b}, and {b} is {more} than {c}. Who is the {most}? Explain.",
        f"What would happen if there were no {topic}?", f"Explain {topic} to a ten-year-old.", f"Give three arguments for and against {topic}.",
        f"What is the connection between {topic} and {other}?", f"What is the difference between {topic} and {other}?",
        f"All {rng.choice(w.ANIMALS)}s in the village are {rng.choice(w.COLOURS)}. {a} has an animal that is {rng.choice(w.COLOURS)}. What can we conclude?",
        f"Read this sentence: \"{rng.choice(m.sentences)}\" What can we conclude from it, and what not?", f"What caused changes in {topic} over the last century?"])


def maths(rng: random.Random, m: Material) -> str:
    a, b, c = rng.randint(2, 99), rng.randint(2, 60), rng.randint(2, 12)
    name, thing, second = rng.choice(w.FIRST_NAMES), *rng.sample(SHOPPING, 2)
    return rng.choice([
        f"What is {a} + {b}?", f"What is {a * 7} - {b}?", f"Calculate {a} times {c}. Show your work.", f"What is {c * b} divided by {c}?",
        f"{name} has {a} {thing} and gives away {min(a, c)}. How many {thing} are left?",
        f"{name} buys {c} {thing} at {b} cents each and {b} {second} at {c} cents each. How much does {name} pay?",
        f"A train travels {a * 3} kilometres in {c} hours. What is its average speed?", f"What is {c * 5}% of {a * 10}?",
        f"Solve for x: {c}x + {a} = {c * b + a}.", f"The sides of a rectangle are {a} and {b} centimetres long. Find its area and perimeter.",
        f"A recipe for {c} people needs {a * 10} grams of flour. How much is needed for {c * 2} people? Explain step by step.",
        f"Find the average of {a}, {b}, {c} and {a + c}.", f"What is {w.number_in_words(a)} plus {w.number_in_words(b)}?",
        f"Explain how to add {a}/{b} and 1/{c}.", f"List the first {c} multiples of {b}.", f"A shop reduces a price of {a} euros by {c * 5} percent. What is the new price?"])


def coding(rng: random.Random, m: Material) -> str:
    task, language, noun = rng.choice(TASKS), rng.choice(CODE_LANGUAGES), rng.choice(NOUNS)
    prompt, answer = rng.choice(PROGRAMS["code"])(rng)
    return rng.choice([
        f"Write a {language} function that {task}.", f"Write a {language} program that {task}, and explain it.", f"How do I write code that {task} in {language}?",
        f"Write a {language} function that {task}, with comments and an example.", f"Write a unit test in Python for a function that {task}.",
        prompt, f"Explain what this code does:\n\n{answer}", f"Add comments to this code:\n\n{answer}", f"Find the bug, if there is one:\n\n{answer}",
        f"Write a SQL query that returns the {rng.choice(FIELDS)} and {rng.choice(FIELDS)} of every {noun}, newest first.",
        f"Design a Python class {noun.capitalize()} with {rng.choice(FIELDS)} and {rng.choice(FIELDS)}.",
        f"Rewrite this code so that it handles errors:\n\n{answer}", f"What is the difference between a list and a {rng.choice(['tuple', 'set', 'dictionary', 'generator'])} in Python? Show code."])


def extraction(rng: random.Random, m: Material) -> str:
    text = report(rng)
    person = (f"{w.full_name(rng)}, {rng.randint(18, 80)}, {rng.choice(w.JOBS)} from {rng.choice(w.CITIES)}, "
              f"ordered {rng.randint(1, 9)} x {w.product(rng)} on {w.iso_date(rng)} for {w.price(rng):.2f} euros")
    keys = ", ".join(rng.sample(["company", "founder", "city", "year", "employees", "product", "price", "contact", "project"], 4))
    return rng.choice([
        f"Extract {keys} from the text as JSON.\n\n{text}", f"Return a JSON object with the keys {keys}.\n\nText: {text}",
        f"Turn this into JSON: {person}.", f"Extract name, age, job, city, product and date as JSON: {person}.",
        f"List all names of people in this text as a JSON array.\n\n{text}", f"List all numbers in the text with what they mean.\n\n{text}",
        f"Write a JSON record for {w.article(rng.choice(NOUNS))} with {', '.join(rng.sample(FIELDS, 4))}. Make up the values.",
        f"Convert to JSON:\nname: {w.full_name(rng)}\ncity: {rng.choice(w.CITIES)}\nproduct: {w.product(rng)}\nprice: {w.price(rng):.2f}"])


def translation(rng: random.Random, m: Material) -> str:
    sentence, language = rng.choice(m.sentences), rng.choice(LANGUAGES)
    return rng.choice([
        f"Translate into {language}: {sentence}", f"Translate to {language}: \"{sentence}\"", f"How do you say \"{sentence}\" in {language}?",
        f"Translate these sentences into {language}:\n1. {sentence}\n2. {rng.choice(m.sentences)}\n3. {rng.choice(m.sentences)}",
        f"Give the {language} words for {w.series(rng.sample(w.ANIMALS + w.FRUITS + w.COLOURS, 4))}.",
        f"Correct the grammar and translate into {language}: {sentence.lower()}"])


def summary(rng: random.Random, m: Material) -> str:
    text = m.passage(rng) + ("\n\n" + m.passage(rng) if rng.random() < 0.3 else "")
    return rng.choice([
        f"Summarize the following text in two sentences.\n\n{text}", f"Summarize this:\n\n{text}", f"What are the main points of this text?\n\n{text}",
        f"{text}\n\nSummarize the text above as bullet points.", f"Give this text a title and a one-sentence summary.\n\n{text}",
        f"Rewrite this text in simpler words.\n\n{text}", f"TL;DR:\n\n{text}", f"Explain this passage to a beginner.\n\n{text}"])


def retrieval(rng: random.Random, m: Material) -> str:
    if rng.random() < 0.5:
        text = rng.choice(m.passages)
        question = rng.choice(["What is this about?", "What does the passage recommend?", "What should a user know?", "Which terms are defined, and how?",
                               "When does this apply?", "What happens otherwise?", "Quote the most important sentence."])
    else:
        text = report(rng)
        question = rng.choice(["Who founded the company?", "When and where was the company founded?", "How many people work there?", "What does the product cost?",
                               "What do critics say?", "Who leads the second office?", "What is the company best known for?", "What is planned next?",
                               "Why did sales rise?", "Tell me about the founder."])
    return rng.choice([
        f"Answer the question from the passage.\n\nPassage: {text}\n\nQuestion: {question}", f"Context: {text}\n\n{question}",
        f"Use only the following text to answer. If the answer is not there, say so.\n\n{text}\n\n{question}", f"{text}\n\nQuestion: {question}\nAnswer:"])


def long_text(rng: random.Random, m: Material) -> str:
    """Several pages: sentences to copy, at positions that short inputs never reach."""
    text = "\n\n".join(m.passage(rng) for _ in range(rng.randint(3, 6)))
    return rng.choice([
        f"Summarize the following text.\n\n{text}", f"Summarize the following report in five sentences.\n\n{text}", f"{text}\n\nWhat are the most important facts?",
        f"Write a short summary of each part.\n\n{text}", f"Read the notes and write minutes of a meeting about them.\n\n{text}",
        f"List every person, company and number in this text.\n\n{text}", f"{text}\n\nQuestion: {rng.choice(['What is the second part about?', 'Who is mentioned, and why?', 'What should be done next?', 'Which numbers are given?'])}",
        f"Rewrite the text as a list of bullet points.\n\n{text}", f"Shorten this text to half of its length.\n\n{text}"])


def formats(rng: random.Random, m: Material) -> str:
    return rng.choice([
        f"List {w.ONES[rng.randint(3, 10)]} {rng.choice(THINGS_TO_LIST)}.", f"Give me a numbered list of {rng.choice(THINGS_TO_LIST)}, with one sentence each.",
        f"Make a Markdown table that compares {rng.choice(TABLES)}.", f"Write an e-mail {rng.choice(OCCASIONS)}.",
        f"Write a short, {rng.choice(TONES)} e-mail {rng.choice(OCCASIONS)}. Sign as {w.full_name(rng)}.", f"Make a checklist for {m.topic(rng)}.",
        f"Write an outline of a talk about {m.topic(rng)}.", f"Make a weekly plan for someone who says: {rng.choice(PROBLEMS)}.",
        f"Make a table with columns {w.series(rng.sample(FIELDS, 3))} and four rows about {rng.choice(NOUNS)}s.",
        f"Write a recipe with {rng.choice(w.VEGETABLES)} and {rng.choice(w.FRUITS)}.", f"Write {rng.randint(3, 6)} quiz questions about {m.topic(rng)} with answers.",
        f"Write an agenda for a meeting about {rng.choice(w.TOPICS)} on {w.spoken_date(rng)}.", f"List the pros and cons of {m.topic(rng)} in bullet points."])


def chat(rng: random.Random, m: Material) -> str:
    problem, topic = rng.choice(PROBLEMS), m.topic(rng)
    word, definition = rng.choice(m.definitions)
    country = rng.choice(w.COUNTRIES)
    return rng.choice([
        f"{problem[0].upper()}{problem[1:]}. What should I do?", f"Hi! Can you help me? {problem[0].upper()}{problem[1:]}.", f"Tell me something interesting about {topic}.",
        f"What is {topic}?", f"What do you think about {topic}?", f"Can you recommend something to read about {topic}?", f"What does \"{word}\" mean?",
        f"Which word means \"{definition}\"?", f"What is the capital of {country}, and what is it known for?", f"What should I see in {rng.choice(w.CITIES)} in three days?",
        f"Who invented {topic}?", f"How can I get better at {topic}?", f"What is a good name for a {rng.choice(w.ANIMALS)}?", f"Tell me a joke about {topic}.",
        f"How was your day? Mine was about {topic}.", f"Use the word \"{word}\" in three sentences."])


MAKERS: dict[str, tuple[float, Callable[[random.Random, Material], str]]] = {
    "writing": (1.2, writing), "roleplay": (0.9, roleplay), "reasoning": (1.2, reasoning), "maths": (1.0, maths), "coding": (1.2, coding),
    "extraction": (0.9, extraction), "translation": (0.7, translation), "summary": (0.9, summary), "retrieval": (0.9, retrieval), "long": (0.6, long_text),
    "formats": (1.2, formats), "chat": (1.1, chat)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prose", type=Path, nargs="+", required=True, help="folders with text or HTML")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun and cntlist.rev")
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=135)
    parser.add_argument("--categories", nargs="+", choices=list(MAKERS), default=list(MAKERS), help="(default: all)")
    parser.add_argument("--out", type=Path, default=HERE / "build/instructions.jsonl")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    material = Material(arguments.prose, arguments.wordnet, rng)
    evaluation = {json.loads(line)["prompt"] for line in (HERE / "evaluation_prompts.jsonl").read_text().splitlines()}
    shares, seen, lines, counts = [MAKERS[category][0] for category in arguments.categories], set(evaluation), [], Counter()
    while len(lines) < arguments.count:
        category = rng.choices(arguments.categories, shares)[0]
        prompt = MAKERS[category][1](rng, material)
        if prompt in seen:
            continue
        seen.add(prompt)
        counts[category] += 1
        # Most answers are cut early: many beginnings teach more than long tails, which repeat themselves.
        most = rng.choices([64, 112, 176, 288], [3, 4, 3, 1])[0]
        lines.append({"id": f"{category}-{len(lines):05d}", "prompt": prompt, "seed": len(lines), "max_tokens": most})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{len(material.passages):,} passages, {len(material.nouns):,} nouns, {len(material.sentences):,} sentences")
    print(", ".join(f"{category} {count}" for category, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
