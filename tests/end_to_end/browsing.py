"""What a person does with a page."""

from __future__ import annotations


def wait_for_text(browser, *texts):
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    # The page may be replaced by the next one between finding its body and reading it.
    wait = WebDriverWait(browser, 60, ignored_exceptions=[StaleElementReferenceException])
    wait.until(lambda b: all(text in b.find_element(By.TAG_NAME, "body").text for text in texts))
