cimport cython

from streams.audience cimport layout

cdef long long MINUTE

@cython.locals(last=cython.longlong, start=cython.longlong, end=cython.longlong)
cpdef carry_to(layout.Totals totals, long long minute, long long carry)

cpdef append(
    layout.Totals totals, long long minute, layout.Cell cell, long long carry, started=*, ended=*
)

@cython.locals(
    minute=cython.longlong, cell=layout.Cell, last=cython.longlong, until=cython.longlong,
    peak_minute=cython.longlong, observed=cython.longlong, gap=cython.longlong,
    next_to=cython.longlong, is_quiet=cython.bint, recent=dict,
)
cpdef append_all(layout.Totals totals, list minutes, long long carry)

cdef _observe(layout.Totals totals, long long minute, audience, high, long long carry)

cpdef merge(layout.Totals totals, layout.Totals after, long long carry)

@cython.locals(recent=dict)
cpdef prune(layout.Totals totals, long long newest)

cdef _drop_outdone(dict recent, high)
