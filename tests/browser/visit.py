"""A customer with a browser, who finds things on a page by their words."""

import re

from playwright.sync_api import expect


class Visit:
    ADDRESS = {"Street and number": "1 Example Street", "Town or city": "London", "Postcode": "N1 1AA"}

    def __init__(self, page, script=True):
        self.page, self.script = page, script

    # -- what is seen

    @property
    def main(self):
        return self.page.get_by_role("main")

    @property
    def choices(self):
        """The buttons of the long list that are shown, without those that a search hides."""
        return self.page.locator("li button[value]").filter(visible=True)

    def names(self):
        return [text.strip() for text in self.choices.locator(".choice-name").all_text_contents()]

    def on(self, question):
        expect(self.page.get_by_role("heading", level=1)).to_have_text(question)
        return self

    def sees(self, *texts):
        for text in texts:
            expect(self.main).to_contain_text(text)
        return self

    def pays(self, price=r"-?\d+\.\d\dp", until=r"( until [^.]+)?"):
        """The rates page shows the price of this moment, large. Arguments are patterns.

        The price of a market may be zero or below at the time of day at which the test runs.
        """
        words = rf"(({price}|you are paid {price}) per kWh|free)"
        said = rf"Now\s*{words}{until}\.|{words} at all times\."
        expect(self.main.locator(".answer")).to_contain_text(re.compile(said))
        return self

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name):
        return self.main.get_by_role("link", name=name, exact=True)

    def field(self, label):
        return self.page.get_by_label(label, exact=True)

    # -- what is done

    def open(self, path):
        self.page.goto(path)
        return self

    def leave_by(self, locator):
        """Click, and wait for the next page, or with script for its main part."""
        if not self.script:
            with self.page.expect_navigation(wait_until="domcontentloaded"):
                locator.click()
            return self
        self.page.evaluate("document.querySelector('h1').dataset.left = ''")
        locator.click()
        expect(self.page.locator("[data-left]")).to_have_count(0)
        self.page.wait_for_load_state("domcontentloaded")
        return self

    def press(self, name):
        return self.leave_by(self.button(name))

    def click_link(self, name):
        return self.leave_by(self.link(name))

    def fill(self, **by_name):
        for name, value in by_name.items():
            self.page.locator(f'[name="{name}"]').fill(value)
        return self

    def type(self, fields):
        for label, value in fields.items():
            self.field(label).fill(value)
        return self

    def sign_up(self, email="dora@example.com", password="correct horse battery"):
        self.open("/").on("See what your electricity costs, hour by hour").click_link("Sign up")
        self.on("Create your account").fill(email=email, password1=password).press("Create your account")
        return self.on("Connect your tariff")

    def start(self, direction="Electricity I buy"):
        self.open("/connect/").on("Connect your tariff")
        return self.begin(direction)

    def begin(self, direction="Electricity I buy"):
        self.field(direction).check()
        return self.press("Start").on("Where do you use this electricity?")

    def address(self, **changed):
        self.on("Where do you use this electricity?").type(self.ADDRESS).fill(**changed)
        return self.press("Continue")

    def to_providers(self):
        return self.start().address().on("Who is your electricity provider?")

    def search(self, text):
        self.page.get_by_role("searchbox").fill(text)
        if not self.script:
            self.press("Search")
        return self

    def provider(self, name):
        self.on(re.compile("Who (is your electricity provider|buys your electricity)")).press(name)
        return self

    def structure(self, name):
        return self.on("How does your price work?").choose(name)

    def choose(self, name):
        return self.leave_by(self.choices.filter(has_text=name))

    def fixed_price(self, price="28.15"):
        self.structure("One price at all times").on(re.compile("What (do you pay|are you paid) for a kilowatt-hour"))
        return self.type({"Price per kWh": price}).press("Continue")

    def name_and_term(self, name="Simple"):
        self.on("What is your tariff called?").type({"Name of your tariff": name}).press("Continue")
        self.on("When does your contract end?").field("I don't know").check()
        return self.press("Continue")

    def log_in_at(self, provider, outcome=""):
        """Go to the provider's site. A test provider sends back at once; others ask on their page."""
        self.on(f"Sign in at {provider}").click_link("Go to the sign-in")
        if outcome:
            expect(self.page).to_have_url(re.compile("/provider/login/"))
            self.press(outcome)
        return self

    def save(self):
        return self.on("Is this your tariff?").press("Yes, save it")

    def to_rates(self):
        """The last press led to the rates, which say that the tariff is there."""
        expect(self.page).to_have_url(re.compile(r"/locations/[0-9a-f-]{36}/$"))
        return self.sees(re.compile("Your tariff is (connected|saved)"))

    def manage(self):
        return self.click_link("Manage this tariff").on("Your tariff")

    def connect_fixed(self, price="28.15"):
        """Connect a tariff in the fewest steps, and open its rates."""
        self.to_providers().provider("Ecotricity").fixed_price(price).name_and_term().save()
        return self.to_rates()
