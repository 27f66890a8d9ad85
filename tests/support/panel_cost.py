"""What each step of a visit may cost on a panel's wire."""

# Of 205,000 bytes that were aimed at on the ILI9488 the code alone, 260 x 259 px, takes 202,020 in 18-bit colour; the
# words and what they replace add the rest. Why it is not 3-bit colour, drivers/panel_kinds.py says.
MOST = {  # first frame, idle -> pay, 2:59 -> 2:58, 3:00 -> 2:59
    "st7789-240": (115_211, 70_000, 137, 479),
    "st7789-320": (153_611, 104_000, 479, 1_739),
    "ili9341": (153_611, 104_000, 479, 1_739),
    "ili9486": (307_219, 205_000, 1_811, 5_692),
    "ili9488": (460_811, 228_500, 1_811, 5_692),
}
