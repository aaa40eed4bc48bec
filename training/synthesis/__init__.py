"""Songs with exact stems, made from free sound fonts, drum kits and speech synthesizers."""
