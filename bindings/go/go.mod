module cosslice

go 1.19
