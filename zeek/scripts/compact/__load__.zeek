@load ./filters
@load ./answers
@load ./questions
@load ./floods
@load ./seen
@load ./held
@load ./link
