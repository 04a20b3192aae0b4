@load ./filters
@load ./questions
@load ./held
@load ./link
