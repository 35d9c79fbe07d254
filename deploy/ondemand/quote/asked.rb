# What a form says, by the names of its fields, as words of the command line. Nothing passes that is not exactly as written here.
require 'uri'
require_relative 'site'

module SpillwayQuote
  module Asked
    class Wrong < StandardError
      attr_reader :field

      def initialize(field, message)
        @field = field
        super(message)
      end
    end

    LONGEST = 2048
    NAME = /\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\z/.freeze
    NAMES = /\A(?=.{1,255}\z)[A-Za-z0-9_][A-Za-z0-9_.-]*(,[A-Za-z0-9_][A-Za-z0-9_.-]*)*\z/.freeze
    MEMORY = /\A([1-9]\d{0,8})\s?(?:([MGT])(?:i?B)?)?\z/i.freeze

    name = ->(value) { value.match?(NAME) ? value : raise('write one name') }
    names = ->(value) { value.match?(NAMES) ? value : raise('write one name, or several with commas') }
    number = lambda do |least, most|
      lambda do |value|
        right = value.match?(/\A\d{1,9}\z/) && value.to_i.between?(least, most)
        right ? value.to_i : raise("write a whole number from #{least} to #{most}")
      end
    end
    memory = lambda do |value|
      many, unit = value.match(MEMORY)&.captures
      many ? "#{many}#{(unit || 'G').upcase}" : raise('write GiB of a node, or a number with M, G or T')
    end

    # Each with what it must be, and its word; a form's own names become these in form.js.
    FIELDS = {
      'cluster' => [name, ->(value) { ['--cluster', cluster(value)] }],
      'bc_queue' => [names, nil],
      'bc_account' => [name, ->(value) { ['--account', value] }],
      'auto_qos' => [name, ->(value) { ['--qos', value] }],
      # Hours; sbatch counts minutes.
      'bc_num_hours' => [number.call(1, 8784), ->(value) { ['--time', value * 60] }],
      # Open OnDemand's own meaning for Slurm is -N.
      'bc_num_slots' => [number.call(1, 100_000), ->(value) { ['--nodes', value] }],
      # Of a node.
      'num_cores' => [number.call(1, 100_000), ->(value) { ['--ntasks-per-node', value] }],
      # Of all nodes.
      'auto_cores' => [number.call(1, 1_000_000), ->(value) { ['--ntasks', value] }],
      'memory' => [memory, ->(value) { ['--mem', value] }],
      'num_gpus' => [number.call(0, 1024), ->(value) { ['--gpus-per-node', value] unless value.zero? }]
    }.freeze
    # The command line's own; sbatch's come behind --.
    OWN = %w[--cluster --account].freeze

    module_function

    def words(query)
      values = read(query)
      said = values.filter_map { |field, value| FIELDS.fetch(field)[1]&.call(value) }
      own, sbatch = said.partition { |option, _| OWN.include?(option) }
      own << ['--partition', partitions(values['bc_queue'])]
      [*joined(own), '--', *joined(sbatch)]
    end

    def read(query)
      raise Wrong.new('query', 'is too long') if query.bytesize > LONGEST

      URI.decode_www_form(query).each_with_object({}) do |(field, value), values|
        check, = FIELDS.fetch(field) { raise Wrong.new(shown(field), 'is no field that is known here') }
        raise Wrong.new(field, 'is there twice') if values.key?(field)

        # As Open OnDemand does: without the blanks around it, and what is blank is not filled in.
        written = value.gsub(/\A +| +\z/, '')
        values[field] = written.empty? ? nil : checked(field, check, written)
      end.compact
    rescue ArgumentError
      raise Wrong.new('query', 'is not encoded as a form is')
    end

    def checked(field, check, value)
      check.call(value)
    rescue RuntimeError => e
      raise Wrong.new(field, e.message)
    end

    # Both at once: the first says when it starts here, the other that the cloud is asked for, so that one question tells both.
    def partitions(queue)
      [*queue&.split(','), Site.said('SPILLWAY_CLOUD_PARTITION', 'cloud')].uniq.join(',')
    end

    # Where the portal's name of a cluster is not the gateway's: SPILLWAY_CLUSTERS="owens=hpc1,pitzer=hpc2".
    def cluster(name)
      pairs = Site.said('SPILLWAY_CLUSTERS', '').split(',').map { |pair| pair.split('=', 2).map(&:strip) }
      pairs.reject { |_, ours| ours.to_s.empty? }.to_h.fetch(name, name)
    end

    def joined(options)
      options.map { |option, value| "#{option}=#{value}" }
    end

    def shown(field)
      field.match?(NAME) ? field : 'query'
    end
  end
end
