using Myna.Control.Rfb;

namespace Myna.Control.Tests.Rfb;

public sealed class DesTests
{
    // Vectors of NIST SP 800-17, appendices A and B, and of FIPS 46's well-known worked example.
    [Theory]
    [InlineData(0x133457799BBCDFF1, 0x0123456789ABCDEF, 0x85E813540F0AB405)]
    [InlineData(0x0101010101010101, 0x8000000000000000, 0x95F8A5E5DD31D900)]
    [InlineData(0x0101010101010101, 0x0000000000000001, 0x166B40B44ABA4BD6)]
    [InlineData(0x8001010101010101, 0x0000000000000000, 0x95A8D72813DAA94D)]
    [InlineData(0x7CA110454A1A6E57, 0x01A1D6D039776742, 0x690F5B0D9A26939B)]
    [InlineData(0x0131D9619DC1376E, 0x5CD54CA83DEF57DA, 0x7A389D10354BD271)]
    [InlineData(0x07A1133E4A0B2686, 0x0248D43806F67172, 0x868EBB51CAB4599A)]
    [InlineData(0x3849674C2602319E, 0x51454B582DDF440A, 0x7178876E01F19B2A)]
    public void Blocks(ulong key, ulong plain, ulong expected) => Assert.Equal(expected, Des.Encrypt(key, plain));
}
