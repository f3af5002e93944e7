using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>RISC-V PLIC specification 1.0.0.</summary>
public sealed class PlicTests
{
    private const ulong Threshold = 0x20_0000, Claim = 0x20_0004;
    private readonly Levels _targets = new();
    private readonly Plic _plic;

    public PlicTests()
    {
        _plic = new Plic(96, [_targets.Line(0), _targets.Line(1), _targets.Line(2)]);
    }

    private void Enable(int context, int source, uint priority = 1)
    {
        _plic.Store((ulong)source * 4, priority);
        ulong register = 0x2000 + (ulong)context * 0x80 + (ulong)(source / 32 * 4);
        _plic.Store(register, _plic.Load(register) | 1u << (source & 31));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(95)]
    public void An_enabled_source_interrupts_its_context_alone(int source)
    {
        Enable(1, source);
        _plic.SetLevel(source, true);
        Assert.Equal((false, true, false), (_targets[0], _targets[1], _targets[2]));
        Assert.Equal(1u << (source & 31), _plic.Load(0x1000 + (ulong)(source / 32 * 4)));
        Assert.Equal((ulong)source, _plic.Load(Claim + 0x1000));
        Assert.False(_targets[1]);
    }

    [Fact]
    public void A_source_of_priority_0_never_interrupts()
    {
        Enable(0, 5, 0);
        _plic.SetLevel(5, true);
        Assert.False(_targets[0]);
        Assert.Equal(0u, _plic.Load(Claim));
    }

    [Fact]
    public void Only_priorities_above_the_threshold_interrupt_but_a_claim_ignores_it()
    {
        Enable(0, 5, 3);
        _plic.Store(Threshold, 3);
        _plic.SetLevel(5, true);
        Assert.False(_targets[0]);
        _plic.Store(Threshold, 2);
        Assert.True(_targets[0]);
        _plic.Store(Threshold, 7);
        Assert.Equal(5u, _plic.Load(Claim));
    }

    [Fact]
    public void The_highest_priority_is_claimed_first_and_the_lowest_number_among_equals()
    {
        Enable(0, 40, 2);
        Enable(0, 7, 2);
        Enable(0, 90, 6);
        foreach (int source in new[] { 40, 7, 90 })
            _plic.SetLevel(source, true);
        Assert.Equal([90, 7, 40, 0], Enumerable.Range(0, 4).Select(_ => (int)_plic.Load(Claim)));
        Assert.False(_targets[0]);
    }

    [Fact]
    public void A_level_that_stays_interrupts_again_after_completion_only()
    {
        Enable(0, 3);
        _plic.SetLevel(3, true);
        Assert.Equal(3u, _plic.Load(Claim));
        Assert.Equal(0u, _plic.Load(Claim));
        _plic.Store(Claim, 3);
        Assert.True(_targets[0]);
        Assert.Equal(3u, _plic.Load(Claim));
        _plic.SetLevel(3, false);
        _plic.Store(Claim, 3);
        Assert.False(_targets[0]);
    }

    [Fact]
    public void A_request_stays_pending_when_the_level_falls_before_the_claim()
    {
        Enable(0, 3);
        _plic.SetLevel(3, true);
        _plic.SetLevel(3, false);
        Assert.True(_targets[0]);
        Assert.Equal(3u, _plic.Load(Claim));
    }

    [Fact]
    public void Completion_by_a_context_that_has_not_enabled_the_source_is_ignored()
    {
        Enable(0, 3);
        _plic.SetLevel(3, true);
        Assert.Equal(3u, _plic.Load(Claim));
        _plic.Store(Claim + 0x1000, 3);
        Assert.False(_targets[0]);
        _plic.Store(Claim, 3);
        Assert.True(_targets[0]);
    }

    [Fact]
    public void One_claim_satisfies_all_contexts()
    {
        Enable(0, 3);
        Enable(1, 3);
        _plic.SetLevel(3, true);
        Assert.True(_targets[0] && _targets[1]);
        Assert.Equal(3u, _plic.Load(Claim + 0x1000));
        Assert.False(_targets[0] || _targets[1]);
        Assert.Equal(0u, _plic.Load(Claim));
    }

    [Fact]
    public void Source_0_and_sources_beyond_the_last_do_not_exist()
    {
        _plic.Store(0, 7);
        Assert.Equal(0u, _plic.Load(0));
        _plic.Store(0x2000, uint.MaxValue);
        Assert.Equal(uint.MaxValue - 1, _plic.Load(0x2000));
        _plic.Store(0x200c, uint.MaxValue);
        Assert.Equal(0u, _plic.Load(0x200c));
        _plic.SetLevel(96, true);
        _plic.SetLevel(0, true);
        Assert.Equal(0u, _plic.Load(Claim));
    }

    [Fact]
    public void Priorities_and_thresholds_keep_three_bits_and_pending_is_read_only()
    {
        _plic.Store(4, 0xff);
        _plic.Store(Threshold, 0xff);
        _plic.Store(0x1000, uint.MaxValue);
        Assert.Equal((7u, 7u, 0u), (_plic.Load(4), _plic.Load(Threshold), _plic.Load(0x1000)));
    }

    [Fact]
    public void Reset_forgets_the_guests_settings_and_keeps_the_devices_levels()
    {
        Enable(0, 3);
        _plic.SetLevel(3, true);
        Assert.Equal(3u, _plic.Load(Claim));
        _plic.Reset();
        Assert.False(_targets[0]);
        Enable(0, 3);
        Assert.True(_targets[0]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Only_32_bit_accesses_are_answered(int size)
    {
        Assert.False(_plic.Read(8, size, out _));
        Assert.False(_plic.Write(8, size, 1));
    }
}
