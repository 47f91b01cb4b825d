cimport cython

from streams.audience cimport layout

cdef long long MINUTE

cdef _choose_label(layout.RowFields row, layout.ViewerEvent event, long long at)

cpdef apply(
    layout.RowFields row, layout.ViewerEvent event, long long at, long long minute,
    long long timestamp,
)

cpdef note_minute(
    dict cells, layout.Cell cell, layout.ViewerEvent event, long long at, long long minute
)

cpdef note_title(layout.RowFields row, str title, long long at)

cpdef note_border(layout.RowFields row, layout.ViewerEvent event, long long at)
