using Myna.Linux.Signals;

namespace Myna.Linux.Tests.Signals;

public sealed class SignalNumbersTests
{
    [Fact]
    public void All_but_one_are_the_same_and_none_is_the_runtimes()
    {
        for (int signal = 1; signal <= 63; signal++)
        {
            Assert.NotEqual(34, SignalNumbers.ToHost(signal));
            Assert.Equal(signal, SignalNumbers.ToGuest(SignalNumbers.ToHost(signal)));
        }
        Assert.Equal(15, SignalNumbers.ToHost(15));
        Assert.Equal(SignalNumbers.Bit(64), SignalNumbers.ToHostMask(SignalNumbers.Bit(34)));
        Assert.Equal(0ul, SignalNumbers.ToHostMask(SignalNumbers.Bit(64)));
    }

    [Theory]
    [InlineData(0x0300, 0x0300)]
    [InlineData(64, 34)]
    [InlineData(11 | 0x80, 11 | 0x80)]
    [InlineData(64 << 8 | 0x7F, 34 << 8 | 0x7F)]
    public void A_wait_status_names_the_guests_signal(int host, int guest) => Assert.Equal(guest, SignalNumbers.ToGuestStatus(host));
}
