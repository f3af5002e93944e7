using Myna.Hardware.Interrupts;

namespace Myna.Devices.Interrupts;

/// <summary>
/// A PC's global system interrupts as wires: each ends in the I/O APIC, those below 16 in the 8259 pair as well. IRQ 0
/// arrives at pin 2 of the I/O APIC, where MP and ACPI tables expect it (an interrupt source override).
/// </summary>
public sealed class GsiRouter(I8259Pair? pic, IoApic? ioApic) : IInterruptSink
{
    /// <summary>The wire of a global system interrupt. For one source; several share it through <see cref="WiredOr"/>.</summary>
    public InterruptLine Line(int gsi) => new(this, gsi);

    private readonly Lock _switch = new();
    private bool _hosted;

    /// <summary>The host's kernel, if it takes the controllers over while guest code runs. Set before anything runs.</summary>
    public IInterruptHost? Host { get; set; }

    /// <summary>The controllers change hands: no wire moves while <paramref name="transfer"/> moves their state.</summary>
    public void Switch(bool hosted, Action transfer)
    {
        lock (_switch)
        {
            _hosted = hosted;
            transfer();
        }
    }

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        if (Host is null)
        {
            SetLevelHere(input, level);
            return;
        }
        lock (_switch)
        {
            SetLevelHere(input, level);
            if (_hosted)
                Host.SetLine(input, level);
        }
    }

    private void SetLevelHere(int input, bool level)
    {
        if (input < 16)
            pic?.SetLevel(input, level);
        // Pin 0 is free, and IRQ 2 is the cascade of the 8259 pair.
        if (input != 2)
            ioApic?.SetLevel(input == 0 ? 2 : input, level);
    }
}

/// <summary>Several wires that end in one: it is high while any of them is.</summary>
public sealed class WiredOr(InterruptLine output) : IInterruptSink
{
    private readonly Lock _lock = new();
    private ulong _levels;
    private int _inputs;

    /// <summary>A further input, at most 64.</summary>
    /// <exception cref="InvalidOperationException">There are 64 already.</exception>
    public InterruptLine Add() => _inputs < 64 ? new InterruptLine(this, _inputs++) : throw new InvalidOperationException("too many sources of one interrupt");

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        lock (_lock)
        {
            _levels = level ? _levels | 1UL << input : _levels & ~(1UL << input);
            output.Set(_levels != 0);
        }
    }
}
