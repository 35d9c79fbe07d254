module spill

go 1.26
