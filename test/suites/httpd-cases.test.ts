import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readHttpdCases } from './httpd-cases.ts'

const file = `my $x = 1;
my @test_cases = (
    [ "GET / HTTP/1.0\\r\\n\\r\\n"       =>   1],
    [ "GET / HTTP/1.0\\n\\n"           =>   1, 400],
    # [ "a comment" => 200 ],
    [ "A\\0\\x01\\xa0\\@ / HTTP/1.0\\r\\n" .
                    "\\r\\n"           => undef, undef],
    [ "GET /h HTTP/1.1\\r\\n\\r\\n" => 500, 500,
      have_module qw(mod_headers) ],
    [ "R" . "Foo: bar"               => 500 ],
);
my @other = ( [ "no" => 1 ] );
`

test('reads the table with the column of the strict host', () => {
  assert.deepEqual(
    readHttpdCases(file).map(({ bytes, about, expected }) => [bytes.toString('latin1'), about, expected]),
    [
      ['GET / HTTP/1.0\r\n\r\n', 'request', 'serve'],
      ['GET / HTTP/1.0\n\n', 'request', 'refuse'],
      ['A\0\x01\xa0@ / HTTP/1.0\r\n\r\n', 'request', 'refuse'],
      ['GET /h HTTP/1.1\r\n\r\n', 'request', 'either'],
      ['Foo: bar', 'response', 'refuse'],
    ],
  )
})
