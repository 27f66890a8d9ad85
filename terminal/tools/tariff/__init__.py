"""`exit-terminal tariff`: a stay's fee explained, where fees change, a chart, and holidays to write down."""
