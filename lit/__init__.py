"""Lightning systems in the style that Promotune is made for."""
