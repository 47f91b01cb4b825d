cimport cython

from streams.audience cimport layout
from streams.audience.stretch cimport append, append_all, carry_to, merge, prune

cdef long long MINUTE

@cython.locals(line=cython.longlong, minute=cython.longlong)
cpdef fold_sealed(layout.RowFields row)

@cython.locals(
    minute=cython.longlong, cell=layout.Cell, carry=cython.longlong, first=cython.longlong,
    place=cython.Py_ssize_t, cells=dict, span=layout.Totals,
)
cdef _fold(layout.RowFields row, list sealed, long long line)
