"""What a person does with a page."""

from __future__ import annotations


def wait_for_text(browser, *texts):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(
        lambda b: all(text in b.find_element(By.TAG_NAME, "body").text for text in texts)
    )
