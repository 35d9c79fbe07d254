# Open OnDemand runs this by Passenger, as the portal's user; to /var/www/ood/apps/sys/spillway_quote.
require_relative 'app'

run SpillwayQuote::App.new
