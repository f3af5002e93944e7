using Myna.Host.User;

namespace Myna.Host.Tests.User;

public sealed class SafeMemoryTests
{
    private const ulong Nowhere = 0x10;

    public SafeMemoryTests() => HostSignals.Initialize();

    [Fact]
    public void Accesses_of_nothing_answer_false()
    {
        for (int size = 0; size < 4; size++)
        {
            Assert.False(SafeMemory.TryLoad(Nowhere, size, out _));
            Assert.False(SafeMemory.TryStore(Nowhere, size, 1));
            Assert.False(SafeMemory.TryExchange(Nowhere, size, 0, 1, out _));
        }
        Assert.False(SafeMemory.TryLoad16(Nowhere, out _, out _));
        Assert.False(SafeMemory.TryStore16(Nowhere, 1, 2));
        // Not canonical: no address comes with the fault.
        Assert.False(SafeMemory.TryLoad(0xDEAD_0000_0000_0000, 3, out _));
    }

    [Fact]
    public void Loads_and_stores_have_their_sizes()
    {
        using var block = new NativeBlock(4096);
        ulong at = (ulong)block.Address;
        block.At<ulong>() = 0x8877_6655_4433_2211;
        Assert.True(SafeMemory.TryLoad(at, 0, out ulong b) && b == 0x11);
        Assert.True(SafeMemory.TryLoad(at, 1, out ulong h) && h == 0x2211);
        Assert.True(SafeMemory.TryLoad(at, 2, out ulong w) && w == 0x4433_2211);
        Assert.True(SafeMemory.TryLoad(at, 3, out ulong d) && d == 0x8877_6655_4433_2211);
        Assert.True(SafeMemory.TryStore(at, 0, 0xAAAA_AAAA_AAAA_AAAA));
        Assert.Equal(0x8877_6655_4433_22AAu, block.At<ulong>());
        Assert.True(SafeMemory.TryStore(at, 2, ulong.MaxValue));
        Assert.Equal(0x8877_6655_FFFF_FFFFu, block.At<ulong>());
    }

    [Fact]
    public void An_exchange_happens_when_the_value_is_expected()
    {
        using var block = new NativeBlock(4096);
        ulong at = (ulong)block.Address;
        block.At<uint>() = 5;
        Assert.True(SafeMemory.TryExchange(at, 2, 4, 9, out ulong old) && old == 5);
        Assert.Equal(5u, block.At<uint>());
        Assert.True(SafeMemory.TryExchange(at, 2, 5, 9, out old) && old == 5);
        Assert.Equal(9u, block.At<uint>());
    }

    [Fact]
    public void A_copy_says_how_far_it_came()
    {
        using var block = new NativeBlock(8192);
        ulong at = (ulong)block.Address;
        Assert.True(SafeMemory.TryProtect(at + 4096, 4096, read: false, write: false));
        try
        {
            Span<byte> bytes = stackalloc byte[64];
            Assert.Equal(16, SafeMemory.Read(at + 4096 - 16, bytes));
            Assert.Equal(16, SafeMemory.Write(at + 4096 - 16, bytes));
            Assert.Equal(64, SafeMemory.Read(at, bytes));
        }
        finally
        {
            SafeMemory.TryProtect(at + 4096, 4096, read: true, write: true);
        }
    }
}
