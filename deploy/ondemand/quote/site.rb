# What the site says by variables (pun_custom_env). One that is empty says nothing, as one that is not there.
module SpillwayQuote
  module Site
    module_function

    def said(name, otherwise = nil)
      value = ENV.fetch(name, '').scrub.strip
      value.empty? ? otherwise : value
    end
  end
end
