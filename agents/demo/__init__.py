"""The whole system on one machine, on the museums' broadcasts of 2020 and a real trace."""
