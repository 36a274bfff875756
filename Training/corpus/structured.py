"""Instructions whose answers have a fixed shape: records, extractions, emails, tables, lists, reports.

Most facts of an answer stand in its prompt, as they do in the work these stand for: the model learns to carry them
over into the right shape.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from . import words as w

Pair = tuple[str, str]
Maker = Callable[[random.Random], Pair]


def ask(rng: random.Random, *forms: str) -> str:
    """One way of asking."""
    return rng.choice(forms)


def dump(value: object) -> str:
    return json.dumps(value, indent=2)


def json_person(rng: random.Random) -> Pair:
    name, city, job = w.full_name(rng), rng.choice(w.CITIES), rng.choice(w.JOBS)
    age = rng.randint(18, 75)
    email = f"{name.lower().replace(' ', '.')}@example.com"
    prompt = ask(
        rng,
        f"Write a JSON record for a person: {name}, {age} years old, {job} from {city}.",
        f"Create a JSON object for {name}, aged {age}, who works as {w.article(job)} in {city}.",
        f"Return a JSON record with name, age, city, job and email for {name} ({age}, {job}, {city}).",
    )
    return prompt, dump({"name": name, "age": age, "city": city, "job": job, "email": email})


def json_product(rng: random.Random) -> Pair:
    name, material, price = w.product(rng), rng.choice(w.MATERIALS), w.price(rng)
    stock, tags = rng.randint(0, 400), rng.sample(w.TAGS, 2)
    prompt = ask(
        rng,
        f"Write a JSON record for a product: {name}, {material}, price {price}, {stock} in stock, tags {w.series(tags)}.",
        f"Give me the product {name} as JSON: material {material}, price {price}, stock {stock}, tags {w.series(tags)}.",
    )
    record = {"product": name, "material": material, "price": price, "currency": "EUR", "stock": stock,
              "available": stock > 0, "tags": tags}
    return prompt, dump(record)


def json_order(rng: random.Random) -> Pair:
    number, name, date = rng.randint(1000, 9999), w.full_name(rng), w.iso_date(rng)
    items = [(w.product(rng), rng.randint(1, 5)) for _ in range(rng.randint(1, 3))]
    listed = w.series([f"{count} x {product}" for product, count in items])
    prompt = ask(
        rng,
        f"Turn this order into JSON: order {number} for {name}, {date}, {listed}.",
        f"Output valid JSON for order {number}: customer {name}, date {date}, items {listed}.",
    )
    record = {"order_id": number, "customer": name, "date": date,
              "items": [{"product": product, "quantity": count} for product, count in items], "status": "open"}
    return prompt, dump(record)


def extract_meeting(rng: random.Random) -> Pair:
    name, city, day, time = w.full_name(rng), rng.choice(w.CITIES), rng.choice(w.WEEKDAYS), w.clock_time(rng)
    topic = rng.choice(w.TOPICS)
    sentence = ask(
        rng,
        f"{name} will meet the team in {city} on {day} at {time} to discuss {topic}.",
        f"On {day} at {time}, {name} is in {city} to talk about {topic}.",
        f"The meeting about {topic} is on {day} at {time} in {city}, led by {name}.",
    )
    prompt = ask(rng, f"Extract the facts as JSON: {sentence}",
                 f"Extract person, city, day, time and topic as JSON from this text: {sentence}")
    return prompt, dump({"person": name, "city": city, "day": day, "time": time, "topic": topic})


def extract_contact(rng: random.Random) -> Pair:
    name, company, phone = w.full_name(rng), w.company(rng), f"+49 {rng.randint(100, 999)} {rng.randint(100000, 999999)}"
    street = f"{rng.choice(w.STREETS)} {rng.randint(1, 120)}"
    city = rng.choice(w.CITIES)
    sentence = f"{name} from {company} can be reached at {phone}, {street}, {city}."
    prompt = ask(rng, f"Extract the contact as JSON: {sentence}", f"Read the contact details and return JSON: {sentence}")
    return prompt, dump({"name": name, "company": company, "phone": phone, "address": {"street": street, "city": city}})


def email_meeting(rng: random.Random) -> Pair:
    sender, receiver = rng.choice(w.FIRST_NAMES), rng.choice(w.FIRST_NAMES)
    topic, day, time = rng.choice(w.TOPICS), rng.choice(w.WEEKDAYS), w.clock_time(rng)
    prompt = ask(
        rng,
        f"Write an email from {sender} to {receiver} to set up a meeting about {topic} on {day} at {time}.",
        f"Write a short email: {sender} invites {receiver} to a meeting about {topic}, {day} at {time}.",
    )
    answer = (
        f"Subject: Meeting about {topic}\n\nDear {receiver},\n\nI hope you are well. I would like to invite you to a "
        f"meeting about {topic} on {day} at {time}. Please let me know if this time works for you.\n\n"
        f"If you have any questions before then, feel free to reply to this email.\n\nBest regards,\n{sender}"
    )
    return prompt, answer


def email_delay(rng: random.Random) -> Pair:
    sender, receiver, project = rng.choice(w.FIRST_NAMES), rng.choice(w.FIRST_NAMES), rng.choice(w.PROJECTS)
    date = w.spoken_date(rng)
    prompt = ask(
        rng,
        f"Write an email from {sender} to {receiver}: project {project} is delayed until {date}.",
        f"{sender} must tell {receiver} that project {project} is late and will be ready on {date}. Write the email.",
    )
    answer = (
        f"Subject: Update on project {project}\n\nDear {receiver},\n\nI am writing to let you know that project "
        f"{project} is delayed. We now expect to finish it on {date}. I am sorry for the inconvenience.\n\n"
        f"We are doing our best to keep the new date, and I will keep you informed.\n\nBest regards,\n{sender}"
    )
    return prompt, answer


def email_order(rng: random.Random) -> Pair:
    receiver, number, item, date = rng.choice(w.FIRST_NAMES), rng.randint(1000, 9999), w.product(rng), w.spoken_date(rng)
    prompt = f"Write a confirmation email to {receiver} for order {number}: {item}, delivery on {date}."
    answer = (
        f"Subject: Your order {number}\n\nDear {receiver},\n\nThank you for your order. We have received your order "
        f"{number} for the {item} and are preparing it for shipping. It will be delivered on {date}.\n\n"
        f"If you have any questions, please reply to this email.\n\nKind regards,\nThe Customer Service Team"
    )
    return prompt, answer


def numbered_list(rng: random.Random) -> Pair:
    subjects = {
        "fruits": w.FRUITS, "vegetables": w.VEGETABLES, "animals": w.ANIMALS, "musical instruments": w.INSTRUMENTS,
        "sports": w.SPORTS, "colours": w.COLOURS,
    }
    fixed = {"months of the year": w.MONTHS, "days of the week": w.WEEKDAYS, "planets": w.PLANETS}
    if rng.random() < 0.3:
        subject = rng.choice(sorted(fixed))
        items = fixed[subject]
        prompt = ask(rng, f"List the {subject}.", f"Write the {subject} as a numbered list.")
    else:
        subject = rng.choice(sorted(subjects))
        count = rng.randint(3, 10)
        items = subjects[subject][:count]
        prompt = ask(rng, f"List {count} {subject}.", f"Write a numbered list of {count} {subject}.",
                     f"Give me {w.number_in_words(count)} {subject} as a numbered list.")
    return prompt, "\n".join(f"{index}. {item.capitalize()}" for index, item in enumerate(items, 1))


def counting(rng: random.Random) -> Pair:
    first = rng.randint(1, 60)
    last = first + rng.randint(6, 20)
    if rng.random() < 0.4:
        prompt = ask(rng, f"List the numbers from {first} to {last} in words.",
                     f"Write out the numbers from {w.number_in_words(first)} to {w.number_in_words(last)}.")
        return prompt, "\n".join(w.number_in_words(value) for value in range(first, last + 1))
    step = rng.choice([1, 1, 1, 2, 5, 10])
    values = range(first, first + step * (last - first) + 1, step)
    by = "" if step == 1 else f" in steps of {step}"
    prompt = ask(rng, f"Count from {values[0]} to {values[-1]}{by}.", f"List the numbers from {values[0]} to {values[-1]}{by}.")
    return prompt, ", ".join(map(str, values))


def capitals(rng: random.Random) -> Pair:
    countries = rng.sample(w.COUNTRIES, rng.randint(3, 7))
    prompt = ask(rng, f"Write a Markdown table of countries and capitals: {', '.join(countries)}.",
                 f"Make a table with the capitals of {w.series(countries)}.")
    rows = "\n".join(f"| {country} | {w.CAPITALS[country]} |" for country in countries)
    return prompt, f"| Country | Capital |\n| --- | --- |\n{rows}"


def people_rows(rng: random.Random) -> tuple[str, list[tuple[str, str, int]]]:
    people = [(w.full_name(rng), rng.choice(w.DEPARTMENTS), rng.randint(20, 64)) for _ in range(rng.randint(2, 5))]
    return "; ".join(f"{name}, {department}, {age}" for name, department, age in people), people


def table_people(rng: random.Random) -> Pair:
    listed, people = people_rows(rng)
    prompt = ask(rng, f"Write a Markdown table with name, department and age: {listed}.",
                 f"Turn this list into a Markdown table (name, department, age): {listed}.")
    rows = "\n".join(f"| {name} | {department} | {age} |" for name, department, age in people)
    return prompt, f"| Name | Department | Age |\n| --- | --- | --- |\n{rows}"


def csv_people(rng: random.Random) -> Pair:
    listed, people = people_rows(rng)
    prompt = ask(rng, f"Write CSV with the columns name, department and age: {listed}.", f"Convert to CSV (name, department, age): {listed}.")
    return prompt, "name,department,age\n" + "\n".join(f"{name},{department},{age}" for name, department, age in people)


def yaml_service(rng: random.Random) -> Pair:
    name, port, replicas = rng.choice(w.PROJECTS).lower(), rng.randint(1000, 9999), rng.randint(1, 9)
    level, region = rng.choice(["debug", "info", "warning"]), rng.choice(w.CITIES).lower()
    prompt = ask(rng, f"Write a YAML config for the service {name}: port {port}, {replicas} replicas, log level {level}, region {region}.",
                 f"YAML for a service named {name} with port {port}, replicas {replicas}, log level {level} in {region}.")
    answer = (
        f"service:\n  name: {name}\n  port: {port}\n  replicas: {replicas}\n  region: {region}\nlogging:\n"
        f"  level: {level}\n  format: json\nhealth:\n  path: /health\n  interval: 10s"
    )
    return prompt, answer


def report(rng: random.Random) -> Pair:
    project, month, done, left = rng.choice(w.PROJECTS), rng.choice(w.MONTHS), rng.randint(3, 40), rng.randint(1, 20)
    lead, topic = w.full_name(rng), rng.choice(w.TOPICS)
    prompt = ask(rng, f"Write a status report for project {project}, {month}: {done} tasks done, {left} open, lead {lead}, next step {topic}.",
                 f"Status report, project {project} ({month}). Lead: {lead}. Tasks done: {done}. Open: {left}. Next: {topic}.")
    answer = (
        f"# Status report: project {project}\n\n**Month:** {month}\n**Lead:** {lead}\n\n## Summary\n\nThe project is on "
        f"track. In {month} the team finished {done} tasks; {left} tasks are still open.\n\n## Progress\n\n"
        f"- Tasks done: {done}\n- Tasks open: {left}\n- Tasks in total: {done + left}\n\n## Next steps\n\n"
        f"The team will work on {topic}. The next report is due at the end of the month."
    )
    return prompt, answer


MAKERS: dict[str, list[Maker]] = {
    "json_record": [json_person, json_product, json_order],
    "json_extract": [extract_meeting, extract_contact],
    "email": [email_meeting, email_delay, email_order],
    "list": [numbered_list, counting],
    "table": [capitals, table_people],
    "csv": [csv_people],
    "yaml": [yaml_service],
    "report": [report],
}
