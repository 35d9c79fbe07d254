# A quote for what a job form says, as JSON. Plain Rack: header names in small letters, as Rack 3 wants them and Rack 2 takes them.
require 'json'
require_relative 'asked'
require_relative 'command'
require_relative 'told'

module SpillwayQuote
  class App
    HEADERS = {
      'content-type' => 'application/json; charset=utf-8', 'cache-control' => 'no-store',
      # Whatever is in it, no browser makes a page or another site's data of it.
      'x-content-type-options' => 'nosniff', 'content-security-policy' => "default-src 'none'",
      'cross-origin-resource-policy' => 'same-origin'
    }.freeze
    # `none`: a person's own doing, such as typing the address. Browsers that send no such header keep the answer from other sites all the same.
    OURS = [nil, 'same-origin', 'none'].freeze

    def call(env)
      status, body, more = answer(env)
      # Not HTML, whoever takes it for that.
      text = JSON.generate(body).gsub(/[<>&\u2028\u2029]/) { |sign| format('\u%04x', sign.ord) }
      [status, HEADERS.merge(more.to_h), env['REQUEST_METHOD'] == 'HEAD' ? [] : [text]]
    end

    private

    def answer(env)
      return [403, { error: 'it answers no other site' }] unless OURS.include?(env['HTTP_SEC_FETCH_SITE'])
      return [405, { error: 'ask by GET' }, { 'allow' => 'GET' }] unless env['REQUEST_METHOD'] == 'GET'
      return [404, { error: 'there is nothing here' }] unless ['', '/'].include?(env['PATH_INFO'])

      [200, Told.of(Command.quote(Asked.words(env['QUERY_STRING'].to_s)))]
    rescue Asked::Wrong => e
      [400, { field: e.field, error: "#{e.field}: #{e.message}" }]
    rescue Command::Late => e
      [504, { error: e.message }]
    rescue Command::Failed, Told::Unclear => e
      [502, { error: e.message }]
    end
  end
end
