@load ./seen
@load ./content
@load ./investigation
@load ./normalized
