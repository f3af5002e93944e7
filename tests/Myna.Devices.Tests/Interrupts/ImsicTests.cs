using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>Advanced Interrupt Architecture 1.0, chapter 3.</summary>
public sealed class ImsicTests
{
    private const int eidelivery = 0x70, eithreshold = 0x72, eip0 = 0x80, eie0 = 0xc0;
    private readonly Levels _harts = new();
    private readonly Imsic _imsic;

    public ImsicTests()
    {
        _imsic = new Imsic(0x2800_0000, [_harts.Line(0), _harts.Line(1)]);
        _imsic[1].Modify(eidelivery, 0, 1);
        for (int i = 0; i < 8; i += 2)
            _imsic[1].Modify(eie0 + i, 0, ulong.MaxValue);
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(63u)]
    [InlineData(64u)]
    [InlineData(255u)]
    public void A_message_makes_its_identity_pending_until_it_is_claimed(uint identity)
    {
        _imsic.Store(0x1000, identity);
        Assert.Equal((false, true), (_harts[0], _harts[1]));
        Assert.Equal(identity << 16 | identity, _imsic[1].Top);
        _imsic[1].Claim();
        Assert.False(_harts[1]);
        Assert.Equal(0u, _imsic[1].Top);
    }

    [Fact]
    public void The_lowest_identity_comes_first()
    {
        foreach (uint identity in new uint[] { 200, 3, 64 })
            _imsic.Store(0x1000, identity);
        var order = new List<uint>();
        for (; _imsic[1].Top != 0; _imsic[1].Claim())
            order.Add(_imsic[1].Top & 0x7ff);
        Assert.Equal([3u, 64u, 200u], order);
    }

    [Fact]
    public void Delivery_enables_and_threshold_hold_an_interrupt_back()
    {
        _imsic.Store(0x1000, 9);
        _imsic[1].Modify(eithreshold, 0, 9);
        Assert.False(_harts[1]);
        _imsic[1].Modify(eithreshold, 0, 10);
        Assert.True(_harts[1]);
        _imsic[1].Modify(eie0, ~(1ul << 9), 0);
        Assert.False(_harts[1]);
        _imsic[1].Modify(eie0, ulong.MaxValue, 1ul << 9);
        _imsic[1].Modify(eidelivery, 0, 0);
        Assert.False(_harts[1]);
        Assert.NotEqual(0u, _imsic[1].Top);
    }

    [Fact]
    public void Identities_that_do_not_exist_are_ignored_and_reads_are_zero()
    {
        _imsic.Store(0x1000, 0);
        _imsic.Store(0x1000, 256);
        _imsic.Store(0x1010, 5);
        Assert.Equal((0u, 0u), (_imsic[1].Top, (uint)_imsic.Load(0x1000)));
        Assert.Equal(~1ul, _imsic[1].Modify(eie0, ulong.MaxValue, 0));
        Assert.Equal(0ul, _imsic[1].Modify(eip0, ulong.MaxValue, 1));
        Assert.Equal(0ul, _imsic[1].Modify(eip0, ulong.MaxValue, 0));
    }

    [Fact]
    public void Messages_find_their_page_by_address_and_big_endian_ones_their_register()
    {
        Assert.True(_imsic.Send(0x2800_1000, 7));
        Assert.True(_imsic.Send(0x2800_1004, 0x0600_0000));
        Assert.Equal(6u, _imsic[1].Top >> 16);
        Assert.False(_imsic.Send(0x2800_2000, 7));
        Assert.False(_imsic.Send(0x27ff_f000, 7));
        Assert.False(_imsic.Send(0x2800_1001, 7));
    }
}
