"""Word lists from which generated text is made, and small functions that draw from them."""

from __future__ import annotations

import random
from collections.abc import Sequence

FIRST_NAMES = (
    "Anna Ben Clara David Elena Felix Grace Hugo Ines Jonas Kira Liam Maria Noah Olivia Paul Quinn Rosa Samuel Tara "
    "Ulrich Vera William Xenia Yusuf Zoe Amir Bianca Carlos Daria Emil Fatima George Hannah Ivan Julia Karim Lena "
    "Marco Nadia Oscar Priya Rafael Sofia Tomas Ursula Victor Wanda Yara Zara Aiko Bruno Chloe Dmitri Esther Frank "
    "Greta Hassan Irene Jakob Klara Leo Mina Niklas Omar Petra Robert Selma Theo Viola Walter Yuki Adele Boris Celine "
    "Diego Edith Finn Gloria Henrik Isabel Joshua Katrin Lukas Mira Nils Otto Paula Ravi Sara Timo Uma Vincent"
).split()
LAST_NAMES = (
    "Keller Novak Smith Garcia Rossi Tanaka Weber Kowalski Hansen Dubois Silva Ivanov Brown Fischer Moreau Lopez Khan "
    "Patel Jensen Costa Meyer Wilson Berg Okafor Nguyen Sato Schmidt Lindgren Murphy Romero Petrov Martin Haddad Kim "
    "Johnson Baker Carter Davis Evans Foster Green Harris Irving Jones King Lewis Morgan Nelson Owens Parker Reed "
    "Stone Turner Vogel Walker Young Zimmer Adams Bauer Chen Diaz Engel Fontaine Gruber Hill Ito Jansen Koch Larsen"
).split()
CITIES = (
    "Berlin,Paris,Madrid,Rome,Vienna,Lisbon,Oslo,Dublin,Prague,Warsaw,Zurich,Geneva,Hamburg,Munich,Lyon,Milan,Porto,"
    "Seville,Athens,Helsinki,Stockholm,Copenhagen,Brussels,Amsterdam,London,Manchester,Edinburgh,Boston,Chicago,"
    "Denver,Seattle,Austin,Toronto,Montreal,Vancouver,Sydney,Melbourne,Auckland,Tokyo,Osaka,Kyoto,Seoul,Mumbai,Delhi,"
    "Cairo,Nairobi,Lagos,Lima,Bogota,Santiago,Quito,Krakow,Turin,Basel,Bern,Leipzig,Dresden,Cologne,Graz,Salzburg"
).split(",")
CAPITALS = dict(
    pair.split(":")
    for pair in (
        "France:Paris,Germany:Berlin,Spain:Madrid,Italy:Rome,Austria:Vienna,Portugal:Lisbon,Norway:Oslo,Ireland:Dublin,"
        "Poland:Warsaw,Switzerland:Bern,Greece:Athens,Finland:Helsinki,Sweden:Stockholm,Denmark:Copenhagen,"
        "Belgium:Brussels,the Netherlands:Amsterdam,the United Kingdom:London,Canada:Ottawa,Australia:Canberra,"
        "Japan:Tokyo,South Korea:Seoul,India:New Delhi,Egypt:Cairo,Kenya:Nairobi,Peru:Lima,Colombia:Bogota,"
        "Chile:Santiago,Ecuador:Quito,Hungary:Budapest,Romania:Bucharest,Bulgaria:Sofia,Croatia:Zagreb,"
        "Iceland:Reykjavik,Estonia:Tallinn,Latvia:Riga,Lithuania:Vilnius,Mexico:Mexico City,Brazil:Brasilia,"
        "Argentina:Buenos Aires,China:Beijing,Thailand:Bangkok,Vietnam:Hanoi,Turkey:Ankara,Morocco:Rabat"
    ).split(",")
)
COUNTRIES = list(CAPITALS)
MONTHS = "January February March April May June July August September October November December".split()
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = "red orange yellow green blue purple pink brown black white grey silver".split()
FRUITS = "apple banana cherry grape lemon mango orange peach pear plum strawberry melon".split()
VEGETABLES = "carrot potato onion tomato cucumber pepper spinach cabbage broccoli celery garlic leek".split()
ANIMALS = "dog cat horse cow sheep goat rabbit fox wolf bear lion tiger elephant giraffe monkey".split()
PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
INSTRUMENTS = "piano violin guitar flute drums trumpet cello harp clarinet saxophone".split()
SPORTS = "football tennis basketball swimming running cycling rowing skiing hockey volleyball".split()
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
DEPARTMENTS = "Sales,Marketing,Engineering,Finance,Support,Operations,Research,Design,Legal,Logistics".split(",")
JOBS = (
    "engineer,designer,teacher,nurse,analyst,manager,developer,architect,accountant,consultant,editor,chef,"
    "electrician,librarian,pharmacist,scientist"
).split(",")
PRODUCT_ADJECTIVES = "Compact Classic Smart Wireless Portable Premium Silent Eco Travel Solar Folding Digital".split()
PRODUCT_NOUNS = (
    "Lamp,Backpack,Keyboard,Kettle,Headphones,Chair,Notebook,Camera,Speaker,Monitor,Desk,Charger,Bottle,Umbrella,"
    "Toaster,Blender,Mouse,Printer,Clock,Jacket"
).split(",")
MATERIALS = "wood steel cotton glass leather plastic ceramic aluminium".split()
COMPANY_STEMS = "North Blue Bright River Stone Green Silver Open Clear Summit Harbor Maple Orion Vertex Delta Nova".split()
COMPANY_TAILS = "Labs,Works,Systems,Foods,Logistics,Media,Energy,Partners,Software,Motors,Books,Tools".split(",")
TOPICS = (
    "the quarterly budget,the new website,the product launch,the customer survey,the hiring plan,the security review,"
    "the project timeline,the marketing campaign,the annual report,the training programme,the office move,"
    "the design review,the supplier contract,the release plan,the data migration"
).split(",")
PROJECTS = "Aurora Beacon Cedar Dolphin Ember Falcon Glacier Horizon Indigo Juniper Kestrel Lighthouse Meadow Nimbus".split()
BOOK_ADJECTIVES = "Silent Hidden Golden Broken Distant Secret Endless Forgotten Burning Quiet Last Winter".split()
BOOK_NOUNS = "River Garden Kingdom Harbor Mirror Forest Letter Island Mountain Shadow Road Clock".split()
GENRES = "fantasy mystery romance history science thriller biography adventure".split()
STREETS = "Main Street,Park Avenue,Mill Lane,Station Road,Church Street,Garden Way,Lake Drive,Hill Road,Oak Street".split(",")
TAGS = "new sale popular limited home office outdoor kitchen travel gift summer winter family sport music".split()


def pick(rng: random.Random, items: Sequence[str]) -> str:
    return rng.choice(items)


def full_name(rng: random.Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def email_of(name: str, rng: random.Random) -> str:
    first, last = name.lower().split()
    host = rng.choice(["example.com", "example.org", "mail.example.com", "example.net"])
    return f"{first}.{last}@{host}"


def product(rng: random.Random) -> str:
    return f"{rng.choice(PRODUCT_ADJECTIVES)} {rng.choice(PRODUCT_NOUNS)}"


def company(rng: random.Random) -> str:
    return f"{rng.choice(COMPANY_STEMS)} {rng.choice(COMPANY_TAILS)}"


def book_title(rng: random.Random) -> str:
    return f"The {rng.choice(BOOK_ADJECTIVES)} {rng.choice(BOOK_NOUNS)}"


def iso_date(rng: random.Random) -> str:
    month = rng.randrange(12)
    return f"{rng.randint(2019, 2027)}-{month + 1:02d}-{rng.randint(1, MONTH_DAYS[month]):02d}"


def spoken_date(rng: random.Random) -> str:
    month = rng.randrange(12)
    return f"{rng.randint(1, MONTH_DAYS[month])} {MONTHS[month]}"


def clock_time(rng: random.Random) -> str:
    return f"{rng.randint(8, 18)}:{rng.choice(['00', '15', '30', '45'])}"


def price(rng: random.Random) -> float:
    return rng.randint(3, 199) + rng.choice([0.99, 0.5, 0.95, 0.49, 0.25])


def number_in_words(value: int) -> str:
    """English words for 0 to 999."""
    if value < 20:
        return ONES[value]
    if value < 100:
        rest = value % 10
        return TENS[value // 10] + (f"-{ONES[rest]}" if rest else "")
    rest = value % 100
    return f"{ONES[value // 100]} hundred" + (f" and {number_in_words(rest)}" if rest else "")


def series(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def article(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeiou" else f"a {noun}"
