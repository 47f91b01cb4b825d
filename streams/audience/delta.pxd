cimport cython

from streams.audience cimport layout

cdef long long MINUTE

cdef class Delta:
    cdef public dict audience
    cdef public dict known
    cdef public object viewer_minutes
    cdef public object joins
    cdef public object views
    cdef public object peak_sum
    cdef public long long broadcasts
    cdef public long long live
    cdef public object viewers
    cdef public long long contributing
    cdef public long long fresh
    cdef public long long minute
    cdef public long long timestamp

    cpdef add(self, Delta other)

    cpdef note(self, long long minute, long long timestamp)

    @cython.locals(end=cython.longlong, audience=dict, known=dict)
    cpdef add_sample(
        self, layout.RowFields row, layout.ViewerEvent event, long long minute, long long timestamp
    )

    @cython.locals(first=cython.longlong, cell=layout.Cell)
    cpdef add_row(self, layout.RowSnapshot before, layout.RowFields row, result)

    cpdef add_status(self, layout.RowSnapshot before, layout.RowFields row, viewers)

    cpdef _contribute(self, layout.RowFields row, viewers)

    cpdef _add_sums(self, layout.Totals totals, long long sign)

    @cython.locals(
        folded=cython.longlong, carry=cython.longlong, end=cython.longlong, gone=cython.longlong,
        minute=cython.longlong, audience=dict, known=dict, cell=layout.Cell,
    )
    cpdef _add_minutes(self, layout.RowFields row, seen, long long sign)
