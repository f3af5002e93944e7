using Myna.Network.Wire;

namespace Myna.Network.Tests;

public sealed class WireTests
{
    [Fact]
    public void Checksum_of_the_example_in_rfc_1071() =>
        // RFC 1071 §3: the sum of these bytes is DDF2.
        Assert.Equal((ushort)0x220D, Checksum.Of([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]));

    [Fact]
    public void Checksum_equals_the_plain_one_at_every_length()
    {
        byte[] bytes = new byte[100];
        new Random(7).NextBytes(bytes);
        for (int length = 0; length <= bytes.Length; length++)
        {
            uint sum = 0;
            for (int i = 0; i < length; i++)
                sum += (uint)bytes[i] << (i % 2 == 0 ? 8 : 0);
            while (sum > 0xFFFF)
                sum = (sum & 0xFFFF) + (sum >> 16);
            Assert.Equal((ushort)~sum, Checksum.Of(bytes.AsSpan(0, length)));
        }
    }

    [Theory]
    [InlineData("10.0.2.15", 0x0A00020FU)]
    [InlineData("255.255.255.255", 0xFFFFFFFFU)]
    public void Addresses_are_read_and_written(string text, uint value)
    {
        Assert.True(Ipv4Address.TryParse(text, out Ipv4Address address));
        Assert.Equal(value, address.Value);
        Assert.Equal(text, address.ToString());
    }

    [Theory]
    [InlineData("10.0.2")]
    [InlineData("10.0.2.256")]
    [InlineData("10.0.2.1.1")]
    [InlineData("10.0.2.")]
    [InlineData(" 10.0.2.1")]
    [InlineData("")]
    public void Other_texts_are_no_addresses(string text) => Assert.False(Ipv4Address.TryParse(text, out _));

    [Fact]
    public void A_tcp_header_written_is_read_again()
    {
        byte[] bytes = new byte[28 + 5];
        "hello"u8.CopyTo(bytes.AsSpan(28));
        var segment = new TcpSegment
        {
            SourcePort = 1, DestinationPort = 2, Sequence = 0xFFFFFFFE, Acknowledgment = 3, Flags = TcpFlags.Syn | TcpFlags.Ack,
            Window = 4, MaximumSegmentSize = 1460, WindowScale = 7,
        };
        Assert.Equal(28, segment.EncodedHeaderSize);
        segment.Write(bytes, StackHarness.Guest, StackHarness.Gateway);
        Assert.True(TcpSegment.TryParse(bytes, StackHarness.Guest, StackHarness.Gateway, out TcpSegment read));
        Assert.Equal((0xFFFFFFFEU, 3U, (ushort)4, (ushort)1460, 7, 6U),
            (read.Sequence, read.Acknowledgment, read.Window, read.MaximumSegmentSize, read.WindowScale, read.Length));
        bytes[^1] ^= 1;
        Assert.False(TcpSegment.TryParse(bytes, StackHarness.Guest, StackHarness.Gateway, out _));
    }
}
