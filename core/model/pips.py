"""How large a pip is: 0.0001, 0.01 for yen quotes, 0.1 for gold, else ten points. Never less than a point."""

from __future__ import annotations

from quarterdeck.core.model.units import Price


def pip_price(symbol: str, base_currency: str, profit_currency: str, digits: int, override: Price | None = None) -> Price:
    """Size of a pip in price; `override` is the operator's decision for this symbol."""
    if override is not None:
        return override
    if base_currency == "XAU" or symbol.startswith("XAU"):
        return max(0.1, 10.0**-digits)
    if (
        len(base_currency) == 3
        and len(profit_currency) == 3
        and digits in ((2, 3, 4, 5) if profit_currency == "JPY" else (4, 5))
        and base_currency not in ("XAG", "XPT", "XPD")
    ):
        return 0.01 if profit_currency == "JPY" else 0.0001
    return float(round(10.0 * 10.0**-digits, 10))
