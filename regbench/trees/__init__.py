"""Results trees that anyone wrote: reads every dialect into frames, tells what is irregular, converts."""
