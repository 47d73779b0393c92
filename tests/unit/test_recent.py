from tuner.recent import Recent


def made_of(recent, keys):
    made = []
    for key in keys:
        recent.obtain(key, lambda key=key: made.append(key) or key)
    return "".join(made)


def test_those_used_last_stay_and_others_are_made_again():
    assert made_of(Recent(2), "abacab") == "abcb"


def test_more_stay_as_long_as_they_are_light():
    recent = Recent(2, weigh=lambda value: 9 if value.isupper() else 1, weight_max=4)

    assert made_of(recent, "abcdabcd") == "abcd"
    assert made_of(recent, "AdA") == "A"  # beside a heavy one, two in all
    assert made_of(recent, "ca") == "ca"
