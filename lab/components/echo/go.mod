module groundwork.lab/echo

go 1.26.0
