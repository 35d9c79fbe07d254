# What a form shows of a quote, in words.
module SpillwayQuote
  module Told
    class Unclear < StandardError; end

    module_function

    # here, cloud: when it starts; cost: the most that it costs; never or waits: what keeps it from the cloud; note.
    def of(quote)
      verdict, mode = quote.values_at('verdict', 'mode')
      raise Unclear, 'what Spillway says is not understood' unless %w[burst wait never].include?(verdict)

      never, waits = %w[never wait].map { |kept| reasons(quote.fetch('against')) if verdict == kept }
      cloud = never ? {} : { cloud: cloud(quote['ready']), cost: cost(quote['offer']) }
      { here: here(quote['forecast']), **cloud, never: never, waits: waits, note: note(mode, verdict) }.compact
    rescue KeyError, TypeError, NoMethodError
      raise Unclear, 'what Spillway says is not understood'
    end

    def note(mode, verdict)
      return 'The gateway only observes now: no job goes to the cloud.' if mode == 'observe'

      'A person must approve it first.' if mode == 'approve' && verdict == 'burst'
    end

    def here(forecast)
      return 'not known' if forecast.nil?

      starts = forecast.fetch('startsIn')
      starts == 'never' ? 'never: it asks for more than there is' : range(starts)
    end

    def cloud(ready)
      ready.nil? ? 'not known' : range(ready)
    end

    # Eight times in ten.
    def range(starts)
      least = starts['p10Ms'] && span(number(starts['p10Ms']))
      most = span(number(starts.fetch('p90Ms')))
      return most if most == 'now'
      return "up to #{most}" unless least

      least == most ? most : "#{least} to #{most}"
    end

    # The most, so a part of a cent is a cent.
    def cost(offer)
      micro = offer && offer['worstMicroUsd']
      format('%d.%02d USD', *((number(micro) + 9_999).to_i / 10_000).divmod(100)) unless micro.nil?
    end

    def reasons(against)
      against.first(3).map do |kept|
        rule, measured, limit = %w[rule measured limit].map { |key| words(kept.fetch(key)) }
        "#{rule}: #{measured} (needed: #{limit})"
      end.join('; ')
    end

    # As src/cli/quote.ts says it.
    def span(milliseconds)
      minutes = (milliseconds / 60_000.0).round
      return milliseconds < 1_000 ? 'now' : "#{(milliseconds / 1_000.0).round} s" if minutes < 1
      return "#{minutes} min" if minutes < 120

      hours, rest = minutes.divmod(60)
      hours < 48 ? "#{hours} h #{rest} min" : "#{hours / 24} d #{hours % 24} h"
    end

    def number(value)
      value.is_a?(Numeric) && value.between?(0, 1e15) ? value : raise(TypeError, 'no number')
    end

    def words(value)
      # Half of a pair of \u, which JSON may have, is no text.
      value.is_a?(String) ? value.scrub.gsub(/[[:cntrl:]]/, ' ')[0, 200] : raise(TypeError, 'no words')
    end
  end
end
